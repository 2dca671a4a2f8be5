"""Words, queries and highlights, without a database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.storage.words import (
    MAX_WORDS,
    Term,
    fold,
    index_of,
    marked,
    query_of,
    read_query,
    words,
)


def test_words_are_folded_and_know_where_they_stand() -> None:
    text = "Straße, ÉTÉ_2 東京!"
    found = list(words(text))
    assert [word.folded for word in found] == ["strasse", "ete", "2", "東", "京"]
    assert [text[word.start : word.end] for word in found] == ["Straße", "ÉTÉ", "2", "東", "京"]


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("Fox", (Term(("fox",), prefix=True),)),
        ("fox ", (Term(("fox",)),)),
        ("fo* x ", (Term(("fo",), prefix=True), Term(("x",)))),
        ('"the fox"', (Term(("the", "fox")),)),
        ('"the fox', (Term(("the", "fox")),)),
        ("-dog fox ", (Term(("dog",), without=True), Term(("fox",)))),
        ('-"a b" ', (Term(("a", "b"), without=True),)),
        ("don't ", (Term(("don", "t")),)),
        (' - * "" \'', ()),
    ],
)
def test_queries(query: str, terms: tuple[Term, ...]) -> None:
    assert read_query(query) == terms


def test_queries_as_each_database_has_them() -> None:
    terms = read_query('a "b c" -d e')
    assert query_of(terms, "sqlite") == '("a" AND "b c" AND "e" *) NOT ("d")'
    assert query_of(terms, "postgresql") == "('a') & ('b' <-> 'c') & ('e':*) & !(('d'))"
    assert query_of(read_query("-d"), "sqlite") == ""


def test_a_tsvector_numbers_words() -> None:
    assert index_of("a b a", "postgresql") == "'a':1,3 'b':2"
    assert index_of("A b, a", "sqlite") == "a b a"
    assert index_of("x " * (MAX_WORDS + 9), "postgresql").endswith(",255")


def test_pieces_that_touch_are_one() -> None:
    pieces = marked("東京都", read_query("京 都 "))
    assert [(piece.text, piece.marked) for piece in pieces] == [("東", False), ("京都", True)]
    assert marked("nothing", read_query("else")) == marked("nothing", ())


@given(st.text(), st.text(max_size=40))
def test_marking_never_changes_a_text(text: str, query: str) -> None:
    pieces = marked(text, read_query(query), length=len(text) + 1)
    assert "".join(piece.text for piece in pieces) == text or pieces[0].text == "…"


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    for word in words(text):
        assert word.folded
        assert fold(word.folded) == word.folded


@given(st.text(max_size=60))
def test_any_query_makes_a_plain_one(query: str) -> None:
    made = query_of(read_query(query), "sqlite")
    assert made.count('"') % 2 == 0
