"""Waiting is cut short where a test only wants to see what comes after it."""

from __future__ import annotations

import pytest

from chat.providers import retrying


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow at once."""
    monkeypatch.setattr(retrying, "FIRST_WAIT_SECONDS", 0.0)
