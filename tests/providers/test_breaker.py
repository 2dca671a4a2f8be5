"""The circuit breaker: its states, and what moves it from one to another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chat.providers.breaker import (
    CLOSED,
    FAILURES,
    REST_SECONDS,
    Breaker,
    abandon,
    ask,
    begin,
    fail,
    rest,
    succeed,
)


def opened(at: float = 0.0) -> Breaker:
    breaker = CLOSED
    for _ in range(FAILURES):
        breaker = fail(ask(breaker, at), at)
    return breaker


def test_it_opens_after_some_failures_in_a_row() -> None:
    breaker = CLOSED
    for _ in range(FAILURES - 1):
        breaker = fail(breaker, 0)
    assert (breaker.state, rest(breaker, 0)) == ("closed", 0)
    assert succeed(breaker) == CLOSED
    breaker = fail(breaker, 0)
    assert (breaker.state, rest(breaker, 1)) == ("open", REST_SECONDS - 1)
    assert rest(breaker, REST_SECONDS) == 0


def test_one_probe_decides() -> None:
    probing = ask(opened(), REST_SECONDS)
    assert probing.state == "half_open"
    assert rest(probing, REST_SECONDS + 1) == REST_SECONDS - 1  # others wait for it
    assert succeed(probing) == CLOSED
    again = fail(probing, REST_SECONDS + 2)
    assert (again.state, rest(again, REST_SECONDS + 2)) == ("open", REST_SECONDS)


def test_a_probe_whose_reply_has_begun_lets_others_pass() -> None:
    begun = begin(ask(opened(), REST_SECONDS))
    assert (begun.state, rest(begun, REST_SECONDS)) == ("closed", 0)
    assert fail(begun, 99).state == "open"
    assert begin(CLOSED) == CLOSED
    assert begin(opened()) == opened()


def test_a_probe_that_was_called_off_is_made_anew_at_once() -> None:
    assert rest(abandon(ask(opened(), REST_SECONDS)), REST_SECONDS) == 0
    assert abandon(CLOSED) == CLOSED
    assert abandon(opened()) == opened()


def test_a_late_failure_keeps_it_open() -> None:
    assert fail(opened(), 3).state == "open"


@given(st.lists(st.sampled_from([ask, fail, lambda b, _: begin(b), lambda b, _: abandon(b)])))
def test_nothing_closes_the_way_for_good(moves: list[object]) -> None:
    breaker, now = CLOSED, 0.0
    for move in moves:
        now += 1
        if move is not ask or not rest(breaker, now):
            breaker = move(breaker, now)  # type: ignore[operator]
    assert rest(breaker, now + REST_SECONDS) == 0
