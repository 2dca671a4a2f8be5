"""Servers to talk to, things to say, and the record of what went well."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from bench.serving import Server, serving
from tests.clients.chat_server import answering
from tests.clients.environments import CLIENTS, DATA, SCENARIOS
from tests.conftest import Speak
from voice.audio import int16_from_pcm

RESULTS = DATA / "results.json"
SAID = {"question": "What is the capital of France?", "stop": "Stop it, please. That is enough."}


@pytest.fixture(scope="session")
def folder(speak: Speak, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is said to the clients: raw PCM16 at 24 kHz."""
    made = tmp_path_factory.mktemp("said")
    for name, text in SAID.items():
        pcm, _ = soundfile.read(speak(text), dtype="float32")
        (made / f"{name}.pcm").write_bytes(int16_from_pcm(pcm))
    return made


@pytest.fixture(scope="session")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the starter models. Replies are short, for they are heard to their end, and
    still take a while: however fast the machine, a story can be interrupted in the middle.
    """
    settings = {
        "LLM_MAX_TOKENS": "60",
        "LLM_TEMPERATURE": "0",
        "STT_LANGUAGE": "en",
        "TTS_LEAD_SECONDS": "5",
    }
    with serving(**{f"VIVAVOCE_{name}": value for name, value in settings.items()}) as server:
        yield server


@pytest.fixture(scope="session")
def calling() -> Iterator[Server]:
    """A server whose language model calls tools."""
    with answering() as endpoint:
        model = {"VIVAVOCE_LLM_BASE_URL": endpoint, "VIVAVOCE_LLM_MODEL": "rules"}
        with serving(**model, VIVAVOCE_STT_LANGUAGE="en") as server:
            yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A certificate for localhost that only this run trusts: the server's side, and the file."""
    made = tmp_path_factory.mktemp("tls")
    key, certificate = made / "key.pem", made / "certificate.pem"
    subprocess.run(
        [
            *"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note which scenario of which client passed, for the table in docs/clients.md."""
    report: Any = yield
    call: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    if report.when == "call" and {"client", "scenario"} <= set(call):
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        client = call["client"]
        entry = known.get(client.name, {})
        if entry.get("version") != client.version:
            entry = {"package": client.package, "version": client.version, "scenarios": {}}
        outcomes = {**entry["scenarios"], call["scenario"]: report.outcome}
        entry["scenarios"] = {name: outcomes[name] for name in SCENARIOS if name in outcomes}
        known[client.name] = entry
        order = [each.name for each in CLIENTS]
        known = {name: known[name] for name in sorted(known, key=order.index)}
        RESULTS.write_text(json.dumps(known, indent=2) + "\n")
    return report
