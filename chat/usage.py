"""What replies cost, and how much a user may use in a day. Pure, but for `UsageStore`.

Money is in the currency of the providers file; days are those of UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

from chat.errors import ChatError
from chat.providers import Usage

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """Money per million tokens, as providers publish it."""

    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Spent:
    """What somebody used: tokens of prompts and replies together, and money."""

    tokens: int = 0
    cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Caps:
    """What one user may use in a day; None is no limit."""

    tokens_per_day: int | None = None
    money_per_day: Decimal | None = None


class UsageStore(Protocol):
    """Where it is written down who used what."""

    async def add(self, owner: str, day: date, usage: Usage) -> None:
        """Add one request's usage to `owner`'s `day`."""
        ...

    async def spent(self, owner: str, day: date) -> Spent:
        """All that `owner` used on `day`."""
        ...


def cost(prompt_tokens: int, completion_tokens: int, price: Price) -> Decimal:
    """The price of one request."""
    return (prompt_tokens * price.input + completion_tokens * price.output) / MILLION


def total(usages: Iterable[Usage]) -> Spent:
    """The sum of several requests."""
    tokens, money = 0, Decimal(0)
    for usage in usages:
        tokens += usage.prompt_tokens + usage.completion_tokens
        money += usage.cost
    return Spent(tokens, money)


def check_caps(spent: Spent, caps: Caps) -> None:
    """Raises `ChatError` `usage_exceeded` when a cap is reached.

    The request that reaches it is still answered: what a reply costs is known only afterwards.
    """
    if caps.tokens_per_day is not None and spent.tokens >= caps.tokens_per_day:
        raise ChatError(
            "usage_exceeded",
            f"today's {caps.tokens_per_day} tokens are used up; tomorrow (UTC) there are more",
        )
    if caps.money_per_day is not None and spent.cost >= caps.money_per_day:
        raise ChatError(
            "usage_exceeded", "today's budget is used up; tomorrow (UTC) there is a new one"
        )
