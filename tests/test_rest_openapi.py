"""The OpenAPI document, and what happens when everything it allows is tried."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import schemathesis
import soundfile
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import load_all_checks, not_a_server_error
from starlette.routing import Route

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


schema = schemathesis.openapi.from_dict(document())
TRIES = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.models
@pytest.mark.timeout(600)
@pytest.mark.slow
@schema.parametrize()
@TRIES
def test_nothing_that_can_be_sent_makes_the_server_fail(case: Any, small: Server) -> None:
    case.call_and_validate(
        base_url=small.url, checks=[not_a_server_error], headers={"accept": "*/*"}, timeout=120
    )
    if case.path == "/v1/audio/transcriptions" and isinstance(case.body, dict):
        # Random bytes are never a recording: the same fields with one that is.
        case.body = {**case.body, "file": wav()}
        case.call_and_validate(base_url=small.url, checks=[not_a_server_error], timeout=120)


@pytest.mark.slow
def test_the_log_of_all_that_tells_of_no_failure(small: Server) -> None:
    assert "Traceback" not in Path(small.log).read_text()
