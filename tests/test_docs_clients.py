"""docs/clients.md shows what tests/clients/ runs, and what came of it."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest

from tests.clients.environments import CLIENTS, PROGRAMS, ROOT, Client

PAGE = (ROOT / "docs" / "clients.md").read_text()
SNIPPETS = re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)


def plain(text: str) -> list[str]:
    return [line.strip() for line in dedent(text).strip().splitlines()]


@pytest.mark.parametrize(("program", "snippet"), SNIPPETS)
def test_a_snippet_is_what_the_tests_run(program: str, snippet: str) -> None:
    lines, wanted = plain((PROGRAMS / program).read_text()), plain(snippet)
    found = [lines[at : at + len(wanted)] == wanted for at in range(len(lines))]
    assert any(found), f"docs/clients.md shows lines that {program} does not have"


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_every_client_has_a_snippet_and_a_row_of_its_locked_version(client: Client) -> None:
    assert client.program in [program for program, _ in SNIPPETS]
    row = rf"^\| {re.escape(client.name)} \(`{re.escape(client.package)}`\) \| "
    assert re.search(row + re.escape(client.version), PAGE, re.MULTILINE), (
        f"run make test-clients and docs/make_clients.py: {client.name} is {client.version} now"
    )
