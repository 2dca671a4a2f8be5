"""Titles say what was spoken of, in its language; what a small model invents is not used."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.errors import ChatError
from chat.jobs.titles import choose_title, first_words, make_titles, title_request
from chat.providers import ChatOptions, Message, ProviderOptions, TextDelta, load_provider
from chat.storage import Storage, conversations, messages
from chat.storage.records import Conversation, Job, NewMessage, now
from tests.databases import opened

BREAD = "How do I bake sourdough bread at home?"
DOG = "my dog keeps barking at night what should i do"
BOOKS = "can you recommend three good books about the roman empire for a beginner"


@pytest.mark.parametrize(
    ("question", "answer", "title"),
    [
        # What the built-in model really said (greedy, on the request that is sent).
        (BREAD, "How to Bake Sourdough Bread at Home", "How to Bake Sourdough Bread at Home"),
        (BREAD, "Baking Sourdough at Home: A Step-By-Step Guide", "Baking Sourdough at Home"),
        ("what's the weather like on mars", "The Weather on Mars: A Night to Remember",
         "The Weather on Mars"),
        (BOOKS, "The Roman Empire: A Guide for Non-Experts", "The Roman Empire"),
        (DOG, 'The title of the text is: "My Dog Keeps Biting at Night: What Should I Do?"',
         "My dog keeps barking at night what should i do"),
        ("Wie lange muss ich ein Ei kochen?", "Wie lange muss ich ein Ei kochen?",
         "Wie lange muss ich ein Ei kochen?"),
        ("¿Cuál es la capital de Perú?", "Perú: The Capital of Perú",
         "¿Cuál es la capital de Perú?"),
        ("hello", "Hello", "Hello"),
        ("my laptop does not turn on, the charging light is blinking orange",
         "The laptop's charging light is blinking orange.",
         "The laptop's charging light is blinking orange"),
        ("Tell me a joke", 'The title of this joke is: "The Liar Paradox"', "Tell me a joke"),
        ("日本の首都はどこですか", 'In Japanese, the title "日本の首都はどこです',
         "日本の首都はどこですか"),
        ("日本の首都はどこですか", "日本の首都", "日本の首都"),
        ("Write a python function that reverses a linked list", "```python",
         "Write a python function that reverses a linked list"),
        # What others say.
        (BREAD, "**Title:** “Sourdough bread at home.”", "Sourdough bread at home"),
        (BREAD, "<think>They want bread.</think>\n\nSourdough bread", "Sourdough bread"),
        (BREAD, "<think>They want", "How do I bake sourdough bread at home?"),
        (BREAD, "Sure! Here is a title: Sourdough bread", "Sourdough bread"),
        (BREAD, "sourdough\u202e bread\x07", "Sourdough bread"),
        (BREAD, "bread bread bread bread", "How do I bake sourdough bread at home?"),
        ("", "", ""),
    ],
)  # fmt: skip
def test_titles(question: str, answer: str, title: str) -> None:
    assert choose_title(answer, question, "", strict=True) == title


def test_a_model_that_does_not_invent_may_find_its_own_words() -> None:
    answer = "Stopping nightly dog barking"
    assert choose_title(answer, DOG, "Exercise helps.", strict=False) == answer
    assert choose_title(answer, DOG, "Exercise helps.", strict=True) == DOG.capitalize()
    assert choose_title("The Art of War", DOG, "", strict=False) == DOG.capitalize()


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Plan\n\nmore", "Plan"),
        ("**Why** is the sky blue? And the sea?", "Why is the sky blue?"),
        ("- \n\n> quoted words", "Quoted words"),
        ("word " * 40, "Word " + "word " * 9 + "word…"),
        ("x" * 100, "X" + "x" * 58 + "…"),
        ("iPhone or pH", "iPhone or pH"),
        ("日本の首都はどこですか。教えてください。", "日本の首都はどこですか"),
        ("\u202e\n!!!\n", ""),
    ],
)
def test_first_words(text: str, title: str) -> None:
    assert first_words(text) == title


@given(st.text(), st.text(), st.booleans())
def test_any_answer_gives_a_title_that_fits(answer: str, question: str, strict: bool) -> None:
    title = choose_title(answer, question, "", strict=strict)
    assert len(title) <= 60
    assert title == " ".join(title.split())
    assert title.isprintable()


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    async with opened("sqlite", tmp_path) as found:
        yield found


async def talked(storage: Storage, *, title: str = "") -> Conversation:
    source = "given" if title else "temporary"
    made = await conversations.create(storage, "o", title=title, title_source=source)
    await messages.append(
        storage, "o", made.id, NewMessage("user", BREAD), NewMessage("assistant", "With flour.")
    )
    return made


def job(conversation_id: str) -> Job:
    payload = {"conversation_id": conversation_id}
    return Job(
        "job_1", "o", "title", payload, "running", 1, now(), None, None, None, None, now(), now()
    )


async def test_the_job_gives_a_title_once(storage: Storage) -> None:
    made = await talked(storage)
    told: list[Conversation] = []

    async def ask(asked: Sequence[Message]) -> str:
        assert BREAD in asked[-1].text
        return "Sourdough bread"

    async def changed(owner: str, conversation: Conversation) -> None:
        assert owner == "o"
        told.append(conversation)

    run = make_titles(storage, ask, strict=True, changed=changed)
    assert await run(job(made.id)) == {"title": "Sourdough bread"}
    now_ = await conversations.get(storage, "o", made.id)
    assert (now_.title, now_.title_source, told) == ("Sourdough bread", "made", [now_])
    assert await run(job(made.id)) is None


async def test_a_given_title_stays_even_if_it_came_meanwhile(storage: Storage) -> None:
    given_one, made = await talked(storage, title="Mine"), await talked(storage)

    async def ask(_: Sequence[Message]) -> str:
        await conversations.update(storage, "o", made.id, title="Mine too")
        return "Sourdough bread"

    run = make_titles(storage, ask, strict=True)
    await run(job(given_one.id))
    await run(job(made.id))
    assert (await conversations.get(storage, "o", given_one.id)).title == "Mine"
    assert (await conversations.get(storage, "o", made.id)).title == "Mine too"


async def test_without_a_model_the_first_words_do(storage: Storage) -> None:
    made = await talked(storage)
    empty = await conversations.create(storage, "o")

    async def ask(_: Sequence[Message]) -> str:
        raise ChatError("llm_timeout", "too slow")

    run = make_titles(storage, ask, strict=True)
    assert await run(job(made.id)) == {"title": BREAD}
    assert await run(job(empty.id)) is None
    assert await run(job("conv_gone")) is None


@pytest.mark.models
async def test_the_built_in_models_titles() -> None:
    """Whatever it says, the title speaks of the question."""
    weights = Path(__file__).parents[2] / "data" / "models"
    llm = load_provider("llama-cpp", ProviderOptions(weights=weights))
    try:
        for question in (BREAD, "Wie lange muss ich ein Ei kochen?", "Quels musées à Paris ?"):
            options = ChatOptions(max_tokens=24, temperature=0.0)
            async with aclosing(llm.respond(title_request(question), options)) as deltas:
                answer = "".join([d.text async for d in deltas if isinstance(d, TextDelta)])
            title = choose_title(answer, question, "", strict=True)
            assert 0 < len(title) <= 60
            assert set(title.casefold().split()) & set(question.casefold().split())
    finally:
        await llm.close()
