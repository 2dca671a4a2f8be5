"""Messages: the branch shown, sending, versions; the stream of an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from starlette.responses import Response

from chat import calling
from chat.api import shapes, sse, views
from chat.api.operation import ROOT, Answer, Call
from chat.exchange import Ended, More, Started, Step, ToolAnswered, ToolAsked, ToolCalled
from chat.storage import copying, messages
from chat.storage.records import Message
from chat.talk import Asked, delta


async def list_branch(call: Call) -> Answer:
    """The newest of the branch shown, in reading order; the cursor leads to older ones."""
    asked: shapes.Reading = call.query
    page = await messages.page(
        call.core.storage,
        call.owner,
        call.ids["conversation"],
        cursor=asked.cursor,
        limit=asked.limit,
    )

    def show() -> tuple[shapes.Message, ...]:
        return tuple(
            views.message(message, page.versions.get(message.id, ()), html=asked.html)
            for message in page.messages
        )

    # Long Markdown takes its time, and nobody else should wait for it.
    shown = await asyncio.to_thread(show) if asked.html else show()
    return Answer(shapes.Messages(messages=shown, cursor=page.cursor))


async def get(call: Call) -> Answer:
    """One; while it is written, as it stands."""
    return Answer(views.message(await _message(call)))


async def send(call: Call) -> Answer:
    """Store a question and begin to answer it. Both are on the disk when this is answered."""
    given: shapes.Question = call.body
    asked = await call.core.talk.ask(
        call.owner, call.ids["conversation"], given.text, **_wishes(given)
    )
    return _asked(call, asked)


async def edit(call: Call) -> Answer:
    """Another version of a question, with an answer of its own."""
    given: shapes.Question = call.body
    asked = await call.core.talk.edit(call.owner, *_place(call), given.text, **_wishes(given))
    return _asked(call, asked)


async def regenerate(call: Call) -> Answer:
    """Another answer, in the place of this one or after this question."""
    given: shapes.Again = call.body
    asked = await call.core.talk.regenerate(
        call.owner, *_place(call), answer_id=given.answer_id or "", model=given.model
    )
    return _asked(call, asked)


async def stop(call: Call) -> Answer:
    """End the answer here; what came is kept."""
    return Answer(views.message(await call.core.talk.stop(call.owner, *_place(call))))


async def versions(call: Call) -> Answer:
    """All messages that stand at this place, in the order they were made."""
    found = await messages.versions(call.core.storage, call.owner, *_place(call))
    ids = [message.id for message in found]
    return Answer(shapes.Versions(messages=tuple(views.message(one, ids) for one in found)))


async def compare(call: Call) -> Answer:
    """This message and another of the conversation."""
    asked: shapes.Other = call.query
    one = await _message(call)
    conversation_id = call.ids["conversation"]
    other = await messages.get(call.core.storage, call.owner, conversation_id, asked.other)
    return Answer(shapes.Pair(one=views.message(one), other=views.message(other)))


async def choose(call: Call) -> Answer:
    """Show the branch of this version, to its newest message."""
    changed = await messages.choose(call.core.storage, call.owner, *_place(call))
    shown = views.conversation(changed)
    call.core.live.publish(call.owner, "conversation.updated", shown)
    return Answer(shown)


async def branch(call: Call) -> Answer:
    """A new conversation that begins with everything up to this message."""
    given: shapes.Branching = call.body
    made = await copying.fork(
        call.core.storage, call.owner, *_place(call), id=given.id or "", title=given.title or ""
    )
    shown = views.conversation(made)
    call.core.live.publish(call.owner, "conversation.created", shown)
    return Answer(shown, {"location": f"{ROOT}/conversations/{made.id}"})


async def stream(call: Call) -> Response:
    """The answer as it stands and as it goes on; of a finished one the end."""
    exchange = call.core.talk.find(call.owner, *_place(call))
    if exchange is None:
        return _streamed(call, _events(_finished(await _message(call)), None))
    return _streamed(call, _events(exchange.follow(_tick(call)), None))


async def follow(call: Call, kept: Mapping[str, Any]) -> Response:
    """The stream that belongs to a kept answer of `send`, `edit` or `regenerate`."""
    question, answer = kept.get("message"), kept["answer"]
    place = (answer["conversation_id"], answer["id"])
    exchange = call.core.talk.find(call.owner, *place)
    if exchange is not None:
        return _streamed(call, _events(exchange.follow(_tick(call)), question))
    stored = await messages.get(call.core.storage, call.owner, *place)
    return _streamed(call, _events(_finished(stored), question))


async def _message(call: Call) -> Message:
    exchange = call.core.talk.find(call.owner, *_place(call))
    if exchange is not None:
        return exchange.answer
    return await messages.get(call.core.storage, call.owner, *_place(call))


async def _finished(message: Message) -> AsyncGenerator[Step | None, None]:
    yield Started(message)
    code = message.error or "" if message.status == "failed" else ""
    yield Ended(message, code, "this answer failed" if code else "")


async def _events(
    steps: AsyncGenerator[Step | None, None], question: Any
) -> AsyncGenerator[sse.Event | None, None]:
    async with aclosing(steps):
        async for step in steps:
            match step:
                case Started(answer):
                    shown = {"message": question, "answer": views.message(answer)}
                    yield sse.Event("message.started", shown)
                case More():
                    yield sse.Event("message.delta", delta(answer, step))
                case Ended(answer, code, message) if code:
                    failed = {"answer": views.message(answer), "code": code, "message": message}
                    yield sse.Event("message.failed", failed)
                case Ended(answer):
                    yield sse.Event("message.done", {"answer": views.message(answer)})
                case ToolAsked():
                    yield sse.Event("tool.asked", calling.shown(answer, step))
                case ToolCalled():
                    yield sse.Event("tool.called", calling.shown(answer, step))
                case ToolAnswered():
                    yield sse.Event("tool.answered", calling.shown(answer, step))
                case None:
                    yield None


def _streamed(call: Call, events: AsyncGenerator[sse.Event | None, None]) -> Response:
    heartbeat = call.core.limits.heartbeat_seconds
    return sse.stream(events, heartbeat=heartbeat, stands=call.stands)


def _tick(call: Call) -> float:
    return sse.tick(call.core.limits.heartbeat_seconds)


def _asked(call: Call, asked: Asked) -> Answer:
    question = views.message(asked.question) if asked.question else None
    answer = views.message(asked.answer)
    place = f"{ROOT}/conversations/{answer.conversation_id}/messages/{answer.id}"
    return Answer(shapes.Exchange(message=question, answer=answer), {"location": place})


def _wishes(given: shapes.Question) -> dict[str, Any]:
    return {
        "id": given.id or "",
        "answer_id": given.answer_id or "",
        "attachments": given.attachments,
        "model": given.model,
    }


def _place(call: Call) -> tuple[str, str]:
    return call.ids["conversation"], call.ids["message"]
