"""The OpenAPI document, and what happens when everything it allows is tried."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
import schemathesis
import soundfile
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import load_all_checks, not_a_server_error
from starlette.routing import Route

from chat.api.openapi import document as whole_document
from chat.api.table import OPERATIONS
from tests.conftest import Server, start_server, stop_server
from voice.app import create_app
from voice.rest.openapi import document
from voice.rest.service import Endpoint
from voice.settings import Settings

load_all_checks()


def test_every_route_of_the_api_is_described() -> None:
    described = {
        (path, method.upper())
        for path, operations in document()["paths"].items()
        for method in operations
        if method != "parameters"
    }
    served = {
        (route.path.replace(":path", ""), method)
        for route in create_app(Settings()).routes
        if isinstance(route, Route) and isinstance(route.endpoint, Endpoint)
        for method in route.endpoint.handlers
    }
    assert served == described | {("/openapi.json", "GET")}


def test_the_document_is_one() -> None:
    schema = schemathesis.openapi.from_dict(document())
    assert len(list(schema.get_all_operations())) == 12
    schema.validate()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small limits, so that nothing takes long."""
    running = start_server(
        tmp_path_factory.mktemp("fuzz") / "log",
        VIVAVOCE_LLM_MAX_TOKENS="4",
        VIVAVOCE_LIMITS_SPEECH_CHARS="40",
        VIVAVOCE_LIMITS_UPLOAD_SECONDS="5",
    )
    yield running
    stop_server(running)


def wav() -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).normal(0, 0.05, 8_000)
    soundfile.write(file, noise, 16_000, format="WAV")
    return file.getvalue()


WHOLE = whole_document(OPERATIONS, [document()])
schema = schemathesis.openapi.from_dict(WHOLE).exclude(path="/api/v1/events")  # it has no end
TRIES = settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def send(server: Server, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """What the server answers; a body of bytes is a file."""
    given: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
    how = {"accept": "application/json"}
    answer = httpx.request(method, f"{server.url}/api/v1{path}", headers=how, timeout=60, **given)
    answer.raise_for_status()
    told: dict[str, Any] = answer.json()
    return told


@pytest.fixture(scope="module")
def there(small: Server) -> dict[str, str]:
    """Ids of what there is, since random ones are never found."""
    conversation = send(small, "POST", "/conversations", {"title": "A"})["id"]
    messages = f"/conversations/{conversation}/messages"
    answer = send(small, "POST", messages, {"text": "Hi"})["answer"]["id"]
    send(small, "POST", f"{messages}/{answer}/stop", {})
    return {
        "conversation": conversation,
        "message": answer,
        "attachment": send(small, "POST", "/attachments?name=a", b"text")["id"],
        "job": send(small, "POST", "/exports", {"format": "json"})["id"],
        "call": "call_1",
        "tool": "none",
    }


def test_the_server_describes_all_of_it_in_one_document(small: Server) -> None:
    told = httpx.get(f"{small.url}/api/openapi.json", timeout=60).json()
    assert told["paths"].keys() == WHOLE["paths"].keys()
    assert {path.split("/")[1] for path in told["paths"]} >= {"api", "v1"}


@pytest.mark.models
@pytest.mark.timeout(600)
@pytest.mark.slow
@schema.parametrize()
@TRIES
def test_nothing_that_can_be_sent_makes_the_server_fail(
    case: Any, small: Server, there: dict[str, str]
) -> None:
    # Of answers in the making only the beginning: a model may talk for long.
    answers = case.operation.label.endswith(("/messages", "/edit", "/regenerate"))
    accept = "application/json" if answers and case.method == "POST" else "*/*"

    def attempt() -> None:
        case.call_and_validate(
            base_url=small.url,
            checks=[not_a_server_error],
            headers={"accept": accept},
            timeout=120,
        )

    attempt()
    if case.path == "/v1/audio/transcriptions" and isinstance(case.body, dict):
        # Random bytes are never a recording: the same fields with one that is.
        case.body = {**case.body, "file": wav()}
        attempt()
    gone = ("/purge", "DELETE /api/v1/conversations/{conversation}")
    if case.path_parameters and not case.operation.label.endswith(gone):
        case.path_parameters = {name: there.get(name, "x") for name in case.path_parameters}
        attempt()


@pytest.mark.slow
def test_the_log_of_all_that_tells_of_no_failure(small: Server) -> None:
    assert "Traceback" not in Path(small.log).read_text()
