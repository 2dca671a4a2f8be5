"""The clause splitter: nothing lost, any chunking the same, cuts where a speaker breathes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.clauses import Clauses
from voice.speakable import speak, spoken_text

FRAGMENTS = [
    "Sure,", " I", " think", " that", " the", " Dr.", " Smith", " U.S.", " e.g.", " a.m.", " $3.50",
    " 1,000", " 10:30", "...", " etc.", "\n", "\n\n", "- ", "1. ", "**", "*", "_", "`", "``", "```",
    "~~~", "[docs](https://a.b/c d)", "[", "]", "(", ")", "<b>", "<", ">", " https://x.org/a?b=c.",
    " me@x.org", ".", "!", "?", ",", ";", ":", " — ", " - ", "。", "、", "「", "」", "日本語", "ー",
    " ", "\t", "a" * 30, " 5 km", "%", "€", "3", "|", "#", "😀", "é", "हिन्दी", "।", "\u2028",
]  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join))
LANGUAGES = st.sampled_from(["en", "de", "fr", "ja", "zh-CN", "xx"])


def split(text: str, language: str = "en", **options: float) -> list[str]:
    clauses = Clauses(language, **options)  # type: ignore[arg-type]
    return clauses.feed(text) + clauses.flush()


@given(TEXTS, LANGUAGES)
def test_the_clauses_joined_are_the_text(text: str, language: str) -> None:
    clauses = split(text, language)
    assert "".join(clauses) == text
    assert all(clauses)


@given(TEXTS, LANGUAGES, st.data())
def test_any_chunking_gives_the_same_clauses(text: str, language: str, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(text)), max_size=12).map(sorted))
    splitter = Clauses(language)
    found = []
    for start, end in zip([0, *places], [*places, len(text)], strict=True):
        found += splitter.feed(text[start:end])
    assert found + splitter.flush() == split(text, language)


@given(TEXTS)
def test_one_character_at_a_time_gives_the_same_clauses(text: str) -> None:
    splitter = Clauses()
    found = [clause for char in text for clause in splitter.feed(char)]
    assert found + splitter.flush() == split(text)


def test_a_flushed_splitter_begins_anew() -> None:
    splitter = Clauses()
    text = "Of course, the capital of France is Paris, which lies on the Seine."
    first = splitter.feed(text) + splitter.flush()
    assert splitter.feed(text) + splitter.flush() == first


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("Of course, it is Paris.", ["Of course, ", "it is Paris."]),
        ("Sure, I can help. Tell me more.", ["Sure, I can help. ", "Tell me more."]),
        ("Hello! How are you?", ["Hello! How are you?"]),
        ("Let me see: it rains.", ["Let me see: ", "it rains."]),
        ("It rains — take a coat.", ["It rains — ", "take a coat."]),
        # without punctuation: before a conjunction, else before a preposition
        (
            "I would be happy to help you with your homework today.",
            ["I would be happy to help you ", "with your homework today."],
        ),
        (
            "My brother likes dogs of any kind but cats he hates.",
            ["My brother likes dogs of any kind ", "but cats he hates."],
        ),
        # one word over the bound, where that ends the phrase
        (
            "One two three four five six seven eight nine.",
            ["One two three four five six seven eight nine."],
        ),
    ],
)
def test_the_first_clause_is_short(text: str, clauses: list[str]) -> None:
    assert split(text) == clauses


WHOLE = [
    "That is $3.50, thanks.",
    "It has 1,000 seats.",
    "At 10:30 Dr. Smith left.",
    "Use fruit, e.g. apples.",
    "The U.S. Army did.",
    "It is 9 a.m. in Rome.",
    "J. R. R. Tolkien wrote it.",
    "See https://a.org/x.y?q=1,2 now.",
    "Write to j.doe@a.org now.",
    "Call `f(a, b). g` now.",
    "Read [the docs. Really, all](https://a.org/x, y) now.",
    "On Nov 21, 2026 then.",
    "It is No. 5 there.",
    "Bonjour ! Oui ?",
]


@pytest.mark.parametrize("text", WHOLE)
def test_what_belongs_together_is_not_torn(text: str) -> None:
    """With no lower bound on words, every boundary that is seen at all is cut at."""
    torn = ["$3.", "1,", "Dr. ", "e.g. ", "U.S. ", "a.m. ", "R. ", "No. ", "21, "]
    for clause in split(text, first_min=1)[:-1]:
        assert not any(clause.endswith(end) for end in torn), clause
    for unit in ("https://a.org/x.y?q=1,2", "j.doe@a.org", "`f(a, b). g`", "$3.50", "10:30"):
        if unit in text:
            assert any(unit in clause for clause in split(text, first_min=1))
    if "[" in text:
        assert any(
            "[the docs. Really, all](https://a.org/x, y)" in c for c in split(text, first_min=1)
        )


@pytest.mark.parametrize(
    ("text", "waits"),
    [
        ("It costs 3.", True),  # "3.50"?
        ("It costs 3. ", True),  # "3. 5"?
        ("It costs three. Th", False),
        ("Wait for it. . ", True),
        ("Look at this,", True),
        ("Look at this, I", False),
        ("He met Dr. ", True),
        ("Use the `a. b", True),
        ("See [this. It", True),
    ],
)
def test_a_clause_comes_as_soon_as_it_is_certain_and_not_before(text: str, waits: bool) -> None:
    assert (Clauses().feed(text) == []) is waits


def test_lines_items_and_code_are_clauses_of_their_own() -> None:
    text = (
        "Here you are:\n\n1. Mix\n2. Bake it. Then wait\n- milk\n- eggs\n\n"
        "Run ```python\nprint('a. b')\n\nx\n```\nDone."
    )
    assert split(text, first_min=1) == [
        "Here you are:\n\n",
        "1. Mix\n",
        "2. Bake it. ",
        "Then wait\n",
        "- milk\n",
        "- eggs\n\n",
        "Run ",
        "```python\nprint('a. b')\n\nx\n```\n",
        "Done.",
    ]


def test_later_clauses_end_with_sentences_or_with_commas_once_they_are_long() -> None:
    text = (
        "That is easy. Rome, Paris, Oslo and Bern are capitals of four countries in Europe, "
        "which you may visit, if you like. And this is the end."
    )
    assert split(text, growth=float("inf")) == [
        "That is easy. ",
        "Rome, Paris, Oslo and Bern are capitals of four countries in Europe, ",
        "which you may visit, if you like. ",
        "And this is the end.",
    ]


@pytest.mark.parametrize("growth", [2.0, 3.0, float("inf")])
def test_no_clause_outgrows_what_is_played_before_it(growth: float) -> None:
    text = "word " * 200
    longest = 0
    for clause in split(text, growth=growth, hard=40, first_max=8):
        words = len(clause.split())
        assert words <= (8 if not longest else min(40, max(8, growth * longest))) + 1
        longest = max(longest, words)
    assert longest == 40


@pytest.mark.parametrize(
    ("language", "text", "clauses"),
    [
        ("ja", "こんにちは、元気ですか。「はい。」と言った。",
         ["こんにちは、", "元気ですか。", "「はい。」と言った。"]),
        ("zh", "你好，世界。今天天气很好！", ["你好，世界。", "今天天气很好！"]),
        ("de", "Am 3. Mai kostet es z. B. 5 Euro. Gut.",
         ["Am 3. Mai kostet es z. B. 5 Euro. ", "Gut."]),
        ("fr", "Bonjour ! Ça coûte 3,50 € ; merci.", ["Bonjour ! Ça coûte 3,50 € ; ", "merci."]),
        ("hi", "यह अच्छा है। वह भी।", ["यह अच्छा है। ", "वह भी।"]),
    ],
)  # fmt: skip
def test_other_languages(language: str, text: str, clauses: list[str]) -> None:
    assert split(text, language) == clauses


JSON = '{"celsius": 21, "days": [{"name": "Monday. Or so", "rain": {}}]}'


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_json_is_a_clause_of_its_own(size: int) -> None:
    text = f"The weather: {JSON}\nIt is warm, {{dear}} reader."
    clauses = Clauses()
    made = [c for i in range(0, len(text), size) for c in clauses.feed(text[i : i + size])]
    made += clauses.flush()
    assert "".join(made) == text
    assert [clause.strip() for clause in made].count(JSON) == 1
    for clause in made:
        spoken = spoken_text(speak(clause))
        assert "celsius" not in spoken
        assert "Monday" not in spoken


def test_json_that_never_ends_is_not_read_out() -> None:
    clauses = Clauses()
    made = clauses.feed('{"a": "b, ') + clauses.feed('c. d" ') + clauses.flush()
    assert [spoken_text(speak(clause)) for clause in made] == ["code block."]
