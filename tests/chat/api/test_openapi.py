"""The OpenAPI document and its page. `tests/test_rest_openapi.py` tries everything it allows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2 as httpx
import schemathesis
from starlette.routing import Route

from chat.api import routes
from chat.api.endpoint import Endpoint
from chat.api.errors import STATUS
from chat.api.openapi import document
from chat.api.table import OPERATIONS
from tests.chat.api.desk import Desk

ROOT = Path(__file__).parents[3]
DOCS = (ROOT / "docs" / "chat-api.md").read_text()

OTHER: dict[str, Any] = {
    "paths": {
        "/v1/models": {
            "get": {
                "operationId": "listModels",
                "responses": {
                    "200": {
                        "description": "x",
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Model"}}
                        },
                    }
                },
            }
        }
    },
    "components": {
        "schemas": {"Model": {"type": "object", "title": "theirs"}, "New": {"type": "string"}},
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
    },
    "security": [{"key": []}],
}


def test_the_document_is_one_and_has_all_operations() -> None:
    schema = schemathesis.openapi.from_dict(document(OPERATIONS))
    schema.validate()
    assert len(list(schema.get_all_operations())) == len(OPERATIONS)


def test_the_routes_of_others_are_in_it_under_their_own_names() -> None:
    made = document(OPERATIONS, [OTHER])
    schemathesis.openapi.from_dict(made).validate()
    schemas = made["components"]["schemas"]
    assert schemas["OpenModel"]["title"] == "theirs"
    assert schemas["Model"]["properties"]["tier"]
    assert "New" in schemas
    answer = made["paths"]["/v1/models"]["get"]["responses"]["200"]["content"]
    assert answer["application/json"]["schema"] == {"$ref": "#/components/schemas/OpenModel"}
    assert made["security"] == [{"key": []}]
    assert "/api/v1/models" in made["paths"]


def test_every_operation_is_documented() -> None:
    for operation in OPERATIONS:
        rows = [line for line in DOCS.split("\n") if line.startswith(f"| `{operation.path}` |")]
        assert any(f"| {operation.method} |" in row for row in rows), operation


def test_every_event_and_code_of_the_api_is_documented() -> None:
    sources = [*(ROOT / "chat" / "api").glob("*.py"), ROOT / "chat" / "talk.py"]
    text = "".join(path.read_text() for path in sources)
    kinds = set(re.findall(r'"((?:message|conversation|settings)\.[a-z]+)"', text))
    assert len(kinds) >= 10
    codes = {code for operation in OPERATIONS for code in operation.refusals} | {*STATUS}
    missing = {name for name in kinds | codes if f"`{name}`" not in DOCS}
    assert missing - {"item_not_found"} == set()


async def test_every_operation_is_served(api: Desk) -> None:
    served = {
        (route.path, operation.method)
        for route in routes(api.core)
        if isinstance(route, Route) and isinstance(route.endpoint, Endpoint)
        for operation in route.endpoint.operations.values()
    }
    assert {(f"/api/v1{op.path}", op.method) for op in OPERATIONS} <= served


async def test_the_page_needs_nothing_from_elsewhere(api: Desk) -> None:
    base = str(api.client.base_url).removesuffix("v1/")
    async with httpx.AsyncClient(base_url=base) as anybody:
        page = await anybody.get("docs")
        assert page.headers["content-type"].startswith("text/html")
        assert "http" not in page.text
        assert "style=" not in page.text
        assert "<style" not in page.text
        for name, kind in (("docs.js", "text/javascript"), ("docs.css", "text/css")):
            file = await anybody.get(name)
            assert file.headers["content-type"].startswith(kind)
            assert name in page.text
            assert "http" not in file.text.lower()
            assert "innerHTML" not in file.text
        described = await anybody.get("openapi.json")
        assert described.json()["openapi"] == "3.1.0"
        assert described.headers["x-request-id"]
        assert (await anybody.post("docs")).json()["code"] == "method_not_allowed"
        assert (await anybody.get("nowhere")).json()["code"] == "not_found"
        assert (await anybody.get("v1/tags")).status_code == 401
