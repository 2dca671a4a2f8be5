"""docs/clients.md shows what tests/clients/ runs, and what came of it."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest

from docs.make_clients import BEGIN, END, table
from tests.clients.environments import CLIENTS, PROGRAMS, ROOT, SCENARIOS, Client

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
def test_every_client_has_a_snippet(client: Client) -> None:
    assert client.program in [program for program, _ in SNIPPETS]


def test_the_table_is_of_the_locked_versions_and_all_scenarios() -> None:
    passed = dict.fromkeys(SCENARIOS, "passed")
    expected = {
        client.name: {"package": client.package, "version": client.version, "scenarios": passed}
        for client in CLIENTS
    }
    assert f"{BEGIN}\n{table(expected)}\n{END}" in PAGE, "run make test-clients"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_is_explained(scenario: str) -> None:
    assert f"- **{scenario}**: " in PAGE
