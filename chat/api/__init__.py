"""Conversations over HTTP: `/api/v1`, its OpenAPI document and the page that shows it.

`docs/chat-api.md` describes the routes, `table` is all of them.
"""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from chat.api.core import Choice, Core, Limits
from chat.api.docs import pages
from chat.api.endpoint import Endpoint, Nowhere
from chat.api.operation import ROOT, Operation
from chat.api.table import OPERATIONS
from chat.api.views import told

__all__ = ["Choice", "Core", "Limits", "routes", "told"]


def routes(core: Core) -> list[BaseRoute]:
    """All routes under `/api`, the last of which answers whatever else is asked for there."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(ROOT + operation.path, {})[operation.method] = operation
    made: list[BaseRoute] = [Route(path, Endpoint(core, ops)) for path, ops in by_path.items()]
    made += [Route(path, Endpoint(core, {"GET": page})) for path, page in pages().items()]
    return [*made, Route("/api", Nowhere()), Route("/api/{path:path}", Nowhere())]
