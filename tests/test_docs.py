"""What a user can set, call or receive is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from prometheus_client import Counter, Gauge, Histogram

from docs.make_settings import render
from voice import metrics
from voice.app import create_app
from voice.cli import main
from voice.protocol import client
from voice.protocol import server as wire
from voice.settings import Settings

ROOT = Path(__file__).parent.parent
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
API = (ROOT / "docs" / "api.md").read_text()
CHAT = "".join(
    (ROOT / "docs" / f"{name}.md").read_text()
    for name in ("chat-api", "storage", "providers", "transfer", "jobs")
)


def test_every_setting_is_documented_as_it_is() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == render()


def test_every_wire_event_is_documented() -> None:
    sent = {str(cls.__struct_config__.tag) for cls in client.ClientEvent.__subclasses__()}
    for event in sent | wire.event_types():
        assert f"`{event}`" in PROTOCOL, event


def test_every_route_is_documented() -> None:
    # What is below /api is documented in docs/chat-api.md, which has a test of its own.
    for route in create_app(Settings()).routes:
        path = getattr(route, "path", "") or "/"
        assert path.startswith("/api") or f"`{path}`" in API, path


def test_every_metric_is_documented() -> None:
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            for family in metric.describe():
                name = f"{family.name}_total" if isinstance(metric, Counter) else family.name
                assert f"`{name}`" in API, name


def test_every_error_code_a_client_can_get_is_documented() -> None:
    text = PROTOCOL + API + CHAT
    files = [*(ROOT / "voice").rglob("*.py"), *(ROOT / "chat").rglob("*.py")]
    command_line = {"cli.py", "ask.py"}
    for path in files:
        if path.name in command_line:
            continue
        for code in re.findall(r'code="([a-z_]+)"|ChatError\(\s*"([a-z_]+)"', path.read_text()):
            assert f"`{''.join(code)}`" in text, (path.name, code)


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["serve"],
        ["models"],
        ["models", "list"],
        ["models", "fetch"],
        ["models", "verify"],
        ["keys"],
        ["keys", "create"],
        ["keys", "list"],
        ["keys", "revoke"],
        ["ask"],
        ["say"],
        ["config"],
        ["backup"],
        ["restore"],
    ],
)
def test_every_command_helps(command: list[str]) -> None:
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 3


def test_the_readme_names_the_two_commands_and_no_machine() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "make serve" in readme
    assert "make test" in readme
