"""Tools: what there is, what was decided about each, and the word on a call that waits for it."""

from __future__ import annotations

from chat.api import shapes
from chat.api.operation import Answer, Call
from chat.errors import ChatError
from chat.tools import Registered


async def list_all(call: Call) -> Answer:
    """All that are not switched off by the server."""
    toolbox = call.core.tools()
    found = () if toolbox is None else await toolbox.of(call.owner)
    return Answer(shapes.ToolList(tools=tuple(_shown(one) for one in found)))


async def put(call: Call) -> Answer:
    """From now on; `ask` takes back what was decided."""
    given: shapes.ConsentGiven = call.body
    if (toolbox := call.core.tools()) is None:
        raise ChatError("not_found", "there is no such tool")
    return Answer(_shown(await toolbox.decide(call.owner, call.ids["tool"], given.consent)))


async def decide(call: Call) -> Answer:
    """The user's word on one call of the answer that is being made."""
    given: shapes.Decision = call.body
    place = (call.owner, call.ids["conversation"], call.ids["message"])
    await call.core.talk.decide(*place, call.ids["call"], given.allow)
    return Answer(None)


def _shown(one: Registered) -> shapes.Tool:
    return shapes.Tool(name=one.tool.name, description=one.tool.description, consent=one.consent)
