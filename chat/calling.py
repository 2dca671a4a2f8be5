"""The tool calls of an answer: the user is asked, told, and all of it becomes part of the branch.

The answer holds the calls; what each gave is a message below it, in the order they were made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from chat.errors import ChatError
from chat.exchange import Exchange, ToolAnswered, ToolAsked, ToolCalled
from chat.providers import ToolCall
from chat.storage import Storage, messages
from chat.storage.records import Message, NewMessage, StoredCall, new_id
from chat.tools import Consent, Registry
from chat.tools.loop import Answered, Called

Decision = Literal["once", "no", "always", "never"]

Remember = Callable[[str, str, Consent], Awaitable[Any]]
"""Keeps what an owner decided about a tool, from now on."""

Told = Callable[[str, str, Any], None]


class Calling:
    """Of one exchange."""

    def __init__(
        self,
        exchange: Exchange,
        storage: Storage,
        registry: Registry,
        remember: Remember,
        tell: Told,
    ) -> None:
        self._exchange = exchange
        self._storage = storage
        self._registry = registry
        self._remember = remember
        self._tell = tell
        self._calls: list[StoredCall] = []
        self._below = exchange.answer.id

    async def begin(self, called: Called) -> None:
        """The model called a tool."""
        # Ids of our own: providers give the same one twice, or none.
        call = StoredCall(new_id("call"), called.call.name, called.call.arguments)
        self._calls.append(call)
        if called.asks:
            self._exchange.ask(call)
            self._told("tool.asked", ToolAsked(call))
        else:
            self._told("tool.called", ToolCalled(call))

    async def ask(self, _: ToolCall) -> bool:
        """The user's word."""
        call = self._calls[-1]
        allowed = await self._exchange.decision(call.id)
        if allowed:
            self._told("tool.called", ToolCalled(call))
        return allowed

    async def end(self, answered: Answered) -> None:
        """The model is told this; it is stored first."""
        owner, answer, call = self._exchange.owner, self._exchange.answer, self._calls[-1]
        self._exchange.settle(call.id)
        place = (self._storage, owner, answer.conversation_id)
        await messages.update(*place, answer.id, tool_calls=self._calls)
        (output,) = await messages.append(
            *place,
            NewMessage(
                "tool",
                answered.output,
                parent_id=self._below,
                tool_call_id=call.id,
                status="failed" if answered.failed else "complete",
            ),
        )
        self._below = output.id
        self._tell(owner, "message.created", output)
        self._told("tool.answered", ToolAnswered(call.id, output.id, answered.failed))

    async def decide(self, call_id: str, decision: Decision) -> None:
        """The user's word on a call that waits for it. Raises `ChatError` `not_found`."""
        call = next((one for one in self._calls if one.id == call_id), None)
        if call is None or not self._exchange.waits(call_id):
            raise ChatError("not_found", "there is no such question, or it was answered")
        if decision in ("always", "never"):
            consent: Consent = "always" if decision == "always" else "never"
            await self._remember(self._exchange.owner, call.name, consent)
            self._registry.decide(call.name, consent)
        self._exchange.decide(call_id, decision in ("once", "always"))

    def _told(self, kind: str, note: ToolAsked | ToolCalled | ToolAnswered) -> None:
        self._exchange.note(note)
        self._tell(self._exchange.owner, kind, shown(self._exchange.answer, note))


def shown(answer: Message, note: ToolAsked | ToolCalled | ToolAnswered) -> dict[str, Any]:
    """A note as pages are told of it."""
    place = {"conversation_id": answer.conversation_id, "message_id": answer.id}
    if isinstance(note, ToolAnswered):
        of = {"call_id": note.call_id, "output_id": note.output_id, "failed": note.failed}
        return {**place, **of}
    call = note.call
    return {**place, "call": {"id": call.id, "name": call.name, "arguments": call.arguments}}
