"""Full-text search gives the same on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chat.errors import ChatError
from chat.storage import Storage, conversations, messages, search
from chat.storage.records import NewMessage, SearchHit, now

ME = "me"
DAY = datetime(2026, 3, 1, tzinfo=UTC)


async def say(storage: Storage, *texts: str, title: str = "", owner: str = ME) -> str:
    made = await conversations.create(storage, owner, title=title, created_at=DAY)
    new = [
        NewMessage("user", text, created_at=DAY + timedelta(days=i)) for i, text in enumerate(texts)
    ]
    await messages.append(storage, owner, made.id, *new)
    return made.id


def shown(hit: SearchHit) -> str:
    return "".join(f"[{piece.text}]" if piece.marked else piece.text for piece in hit.pieces)


async def find(storage: Storage, query: str, **rest: object) -> list[str]:
    page = await search.search(storage, ME, query, **rest)  # type: ignore[arg-type]
    return [shown(hit) for hit in page.hits]


QUERIES = [
    ("strasse", ["Die [Straße] nach Köln"]),
    ("koln", ["Die Straße nach [Köln]"]),
    ("KÖL", ["Die Straße nach [Köln]"]),
    ("köl ", []),
    ("köl* strasse ", ["Die [Straße] nach [Köln]"]),
    ('"nach köln"', ["Die Straße [nach Köln]"]),
    ('"köln nach"', []),
    ("the fox -dog", ["Quick [fox] runs to [the] sea"]),
    ("fox", ["Quick [fox] runs to the sea", "The quick brown [fox] bit the dog"]),
    ("don't", ["I [don't] know, 50% of it"]),
    ("50", ["I don't know, [50]% of it"]),
    ("京都", ["東[京都]に住んでいます"]),
    ("住んで", ["東京都に[住んで]います"]),
    ("都京", []),
    ("สวัสดี", ["[สวัสดี]ชาวโลก"]),
    ("โลก", ["สวัสดีชาว[โลก]"]),
    ("학교", ["나는 [학교]에 간다"]),
    ("नमस्ते", ["[नमस्ते] दुनिया"]),
    ("Ｆｏｘ", ["Quick [fox] runs to the sea", "The quick brown [fox] bit the dog"]),
    ("мир", ["Привет, [мир]!"]),
    ("-fox", []),
    ("", []),
    ("!!! \" ' ( ) AND", []),
    ('fox" OR', []),
    (
        "fox & ! | :* <-> '",
        ["Quick [fox] runs to the sea", "The quick brown [fox] bit the dog"],
    ),
    ("nul\0", []),
]


async def test_queries(storage: Storage) -> None:
    await say(
        storage,
        "Die Straße nach Köln",
        "The quick brown fox bit the dog",
        "Quick fox runs to the sea",
        "I don't know, 50% of it",
        "東京都に住んでいます",
        "สวัสดีชาวโลก",
        "나는 학교에 간다",
        "नमस्ते दुनिया",
        "Привет, мир!",
    )
    found = [(query, await find(storage, query)) for query, _ in QUERIES]
    assert found == QUERIES


async def test_titles_come_first_and_pages_lead_through_both(storage: Storage) -> None:
    for i in range(3):
        await say(storage, f"red {i}", f"red {i} more", title=f"Red {i}")
    seen: list[tuple[bool, str]] = []
    cursor = None
    while True:
        page = await search.search(storage, ME, "red", limit=2, cursor=cursor)
        seen += [(hit.message_id is None, hit.title) for hit in page.hits]
        cursor = page.cursor
        if cursor is None:
            break
    titles = [(True, f"Red {i}") for i in (2, 1, 0)]
    assert seen == titles + [(False, f"Red {i}") for i in (2, 2, 1, 1, 0, 0)]
    with pytest.raises(ChatError) as raised:
        await search.search(storage, ME, "red", cursor="zz")
    assert raised.value.code == "invalid_request"
    with pytest.raises(ChatError) as raised:
        await search.search(storage, ME, "x" * 501)
    assert raised.value.code == "too_large"


async def test_dates_archives_and_owners(storage: Storage) -> None:
    id_ = await say(storage, "apple one", "apple two", "apple three")
    await say(storage, "apple four", owner="other")
    assert await find(storage, "apple", since=DAY + timedelta(days=1)) == [
        "[apple] three",
        "[apple] two",
    ]
    assert await find(storage, "apple", until=DAY + timedelta(days=1)) == ["[apple] one"]
    assert len(await find(storage, "apple", archived=False)) == 3
    await conversations.update(storage, ME, id_, archived=True)
    assert await find(storage, "apple", archived=False) == []
    assert len(await find(storage, "apple", archived=True)) == 3


async def test_the_index_follows_every_change(storage: Storage) -> None:
    id_ = await say(storage, "apple", title="Fruit")
    (first,) = await messages.everything(storage, ME, id_)
    await messages.update(storage, ME, id_, first.id, text="pear")
    await conversations.update(storage, ME, id_, title="Trees")
    assert await find(storage, "apple") == await find(storage, "fruit") == []
    assert await find(storage, "pear") == ["[pear]"]
    assert await find(storage, "trees") == ["[Trees]"]
    await conversations.delete(storage, ME, id_)
    assert await find(storage, "pear") == []
    await conversations.restore(storage, ME, id_)
    assert await find(storage, "pear") == ["[pear]"]
    await conversations.delete(storage, ME, id_)
    await conversations.purge(storage, before=now())
    assert await find(storage, "pear") == await find(storage, "trees") == []


async def test_a_long_text_is_shown_where_it_was_found(storage: Storage) -> None:
    await say(storage, "lorem ipsum " * 200 + "needle " + "dolor sit " * 200)
    (found,) = await find(storage, "needle")
    assert found.startswith("…")
    assert "[needle]" in found
    assert found.endswith("…")
    assert len(found) < 200


async def test_the_longest_message_can_be_stored_and_found(storage: Storage) -> None:
    words = " ".join(f"w{i}" for i in range(18_000))
    await say(storage, words, "x" * 1_000_000)
    assert len(await find(storage, "w16000 ")) == 1
    assert await find(storage, "w17000 ") == []


@pytest.mark.parametrize("few", [0, 8, 9])
async def test_frequent_words_are_found_in_the_same_order(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(search, "FEW", few)
    await say(storage, *(f"fox {n}" for n in range(9)))
    await say(storage, "fox of another", owner="another")
    found: list[str] = []
    cursor = None
    while True:
        page = await search.search(storage, ME, "fox ", limit=4, cursor=cursor)
        found += [shown(hit) for hit in page.hits]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == [f"[fox] {n}" for n in reversed(range(9))]
    days = {"since": DAY + timedelta(days=3), "until": DAY + timedelta(days=5)}
    assert await find(storage, "fox ", **days) == ["[fox] 4", "[fox] 3"]
