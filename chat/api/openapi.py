"""OpenAPI 3.1, made from the table of operations and the types that decode requests. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from chat.api.errors import STATUS, Problem
from chat.api.operation import ROOT, Operation
from chat.api.shapes import Shape

Json = dict[str, Any]

_PROBLEM: Json = {"$ref": "#/components/schemas/Problem"}


def document(operations: Sequence[Operation], others: Iterable[Mapping[str, Any]] = ()) -> Json:
    """The document of `operations` and of `others`; their schemas are renamed if need be."""
    shapes = {kind for op in operations for kind in (op.body, op.answer) if kind is not None}
    ordered = sorted(shapes, key=lambda kind: kind.__name__)
    _, schemas = msgspec.json.schema_components(
        [*ordered, Problem], ref_template="#/components/schemas/{name}"
    )
    paths: Json = {}
    for operation in operations:
        described = paths.setdefault(ROOT + operation.path, _path(operation))
        described[operation.method.lower()] = _operation(operation)
    made: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "Vivavoce",
            "version": version("vivavoce"),
            "description": "Conversations under /api/v1; speech and chat in OpenAI's shapes "
            "under /v1. The Realtime WebSocket is not part of this document.",
        },
        "tags": [{"name": name} for name in dict.fromkeys(op.tag for op in operations)],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {}},
    }
    for other in others:
        _include(made, other)
    return made


def _path(operation: Operation) -> Json:
    known = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": 64},
        }
        for name in operation.ids
    ]
    return {"parameters": known} if known else {}


def _operation(operation: Operation) -> Json:
    made: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": {
            str(operation.status): _answer(operation),
            **{
                str(status): _refusal(codes)
                for status, codes in sorted(_refusals(operation).items())
            },
            "4XX": {"description": "Why not", **_content({"application/json": _PROBLEM})},
            "5XX": {"description": "What failed", **_content({"application/json": _PROBLEM})},
        },
    }
    if parameters := [*_query(operation.query), *_headers(operation)]:
        made["parameters"] = parameters
    if operation.body is not None:
        reference = {"$ref": f"#/components/schemas/{operation.body.__name__}"}
        made["requestBody"] = {"required": True, **_content({"application/json": reference})}
    if operation.takes_file:
        made["requestBody"] = {
            "required": True,
            **_content({"application/octet-stream": {"type": "string", "format": "binary"}}),
        }
    if doc := (operation.handle.__doc__ or "").strip():
        made["description"] = " ".join(doc.split())
    return made


def _answer(operation: Operation) -> Json:
    kinds: Json = {}
    if operation.answer is not None:
        kinds["application/json"] = {"$ref": f"#/components/schemas/{operation.answer.__name__}"}
    kinds |= {media: {"type": "string"} for media in operation.gives}
    return {"description": operation.summary, **_content(kinds)}


def _content(kinds: Mapping[str, Json]) -> Json:
    return (
        {"content": {kind: {"schema": schema} for kind, schema in kinds.items()}} if kinds else {}
    )


def _refusals(operation: Operation) -> dict[int, list[str]]:
    codes = list(operation.refusals)
    if operation.ids:
        codes.append("not_found")
    if operation.body is not None:
        codes += ["invalid_json", "unsupported_media_type", "body_too_large"]
    if operation.takes_file:
        codes.append("body_too_large")
    if operation.body is not None or operation.query is not None:
        codes.append("invalid_value")
    if operation.creates:
        codes += ["idempotency_conflict", "in_progress"]
    if operation.updates:
        codes += ["version_conflict", "if_match_required"]
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUS.get(code, 400), []).append(code)
    return by_status


def _refusal(codes: Sequence[str]) -> Json:
    return {
        "description": ", ".join(f"`{code}`" for code in codes),
        **_content({"application/json": _PROBLEM}),
    }


def _query(shape: type[Shape] | None) -> list[Json]:
    if shape is None:
        return []
    _, schemas = msgspec.json.schema_components([shape], ref_template="#/{name}")
    described = schemas[shape.__name__]
    required = described.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _given(schema)}
        for name, schema in described["properties"].items()
    ]


def _given(schema: Json) -> Json:
    """The schema without null, which a query string cannot say."""
    kinds: list[Json] = [kind for kind in schema.get("anyOf", []) if kind.get("type") != "null"]
    return kinds[0] if len(kinds) == 1 else schema


def _headers(operation: Operation) -> list[Json]:
    made: list[Json] = []
    if operation.creates:
        made.append(_header("Idempotency-Key", False, "The same request is done once", 255))
    if operation.updates:
        made.append(_header("If-Match", False, "The ETag of what is changed, or *", 255))
    return made


def _header(name: str, required: bool, description: str, chars: int) -> Json:
    schema = {"type": "string", "minLength": 1, "maxLength": chars}
    shown = {"name": name, "in": "header", "required": required, "description": description}
    return {**shown, "schema": schema}


def _include(made: Json, other: Mapping[str, Any]) -> None:
    """Add another document's paths, renaming those of its schemas whose names are taken."""
    components = other.get("components", {})
    schemas = made["components"]["schemas"]
    renamed = {
        f"#/components/schemas/{name}": f"#/components/schemas/Open{name}"
        for name in components.get("schemas", {})
        if name in schemas
    }
    for name, schema in components.get("schemas", {}).items():
        taken = f"Open{name}" if name in schemas else name
        schemas[taken] = _renamed(schema, renamed)
    security = components.get("securitySchemes", {})
    made["components"]["securitySchemes"].update(security)
    for path, described in other.get("paths", {}).items():
        made["paths"].setdefault(path, _renamed(described, renamed))
    if "security" in other:
        made.setdefault("security", other["security"])


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    match value:
        case dict():
            return {
                key: names.get(item, item)
                if key == "$ref" and isinstance(item, str)
                else _renamed(item, names)
                for key, item in value.items()
            }
        case list():
            return [_renamed(item, names) for item in value]
        case _:
            return value
