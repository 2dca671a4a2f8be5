"""The replies of one session: begun, held, let out, cut short, taken up again.

What is done with a reply is decided by the dialog; here it is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from chat.prompts import GO_ON
from chat.providers import Delta, Finished, Llm, Message, TextDelta
from voice import events as ev
from voice import metrics
from voice.audio import HEARD_RATE
from voice.ears import Ears
from voice.engines import Tts
from voice.events import Rev
from voice.memory import Memory
from voice.outbox import Outbox, Outgoing
from voice.protocol import server as wire
from voice.protocol.items import FunctionCallItem
from voice.reply import Deltas, respond
from voice.response import Plan, Reply, closing
from voice.settings import Settings
from voice.showing import show
from voice.stamps import Stamps

REMEMBERED = 3
"""Replies kept at hand; the dialog refers to the newest only, the others may still be closing."""

ECHOES = 0.5
"""Seconds in which a reply that was cut may still be heard: on its way out, and back."""

HEEDED = 2.0
"""Seconds of speech that are enough in hand while somebody speaks: what they say is found out
sooner if no more is synthesised at the same time.
"""

LATEST = 1.1
"""Seconds until the echo of a word is back at the latest."""

Launch = Callable[[Rev, str, Coroutine[Any, Any, None]], None]


class Answers:
    """The replies of one session, by the revision they answer.

    `feed` takes what happens to them, `launch` runs a task under a revision and a name; `extended`
    says that the client speaks `vivavoce.v1`.
    """

    def __init__(
        self,
        llm: Llm,
        tts: Tts,
        settings: Settings,
        *,
        memory: Memory,
        outbox: Outbox[wire.ServerEvent],
        stamps: Stamps,
        ears: Ears,
        feed: Callable[[ev.Event], None],
        launch: Launch,
        extended: bool,
    ) -> None:
        self._llm, self._tts = llm, tts
        self._settings = settings
        self._memory = memory
        self._outbox = outbox
        self._stamps = stamps
        self._ears = ears
        self._feed = feed
        self._launch = launch
        self._extended = extended
        self._loop = asyncio.get_running_loop()
        self._replies: dict[Rev, Reply] = {}
        self._undisturbed = asyncio.Event()
        """Nobody says anything over a reply."""
        self._undisturbed.set()
        self._until = 0.0
        """When the audio that went out will have sounded, on the loop's clock."""

    def heed(self, speech: bool) -> None:
        """Whether it is being found out what somebody says over a reply."""
        if speech:
            self._undisturbed.clear()
        else:
            self._undisturbed.set()

    def said(self, ago: float) -> str:
        """The words of replies that may have been heard since `ago` seconds ago."""
        now = self._loop.time()
        return " ".join(
            reply.text[word.start_char : word.end_char]
            for reply in self._replies.values()
            for word in reply.words
            if now - ago - LATEST < reply.begins + word.end
            and reply.begins + word.start < min(now, self._until)
        )

    # --- beginning

    def begin(self, plan: Plan, *, held: bool) -> None:
        """Ask the language model, and speak what it says."""
        ask = partial(self._llm.respond, plan.messages, plan.options)
        self._start(Reply(plan), ask, held=held)

    def say(self, plan: Plan, text: str) -> None:
        """Speak `text`; no model is asked."""
        self._start(Reply(plan), partial(_tell, text), held=False)

    def say_nothing(self, plan: Plan) -> None:
        """An empty reply, to a client that asked for one to silence."""
        reply = Reply(plan)
        self._replies[plan.rev] = reply
        self.release(plan.rev)
        self._emit(reply, wire.ResponseCreated(response=reply.response("in_progress")))
        for event in closing(reply, "completed", wire.StatusDetails(type="completed")):
            self._emit(reply, event)
        self._feed(ev.ReplyEnded(plan.rev))

    def resume(self, cut: Sequence[Rev], make: Callable[[], Plan]) -> None:
        """Say the rest of replies that were cut, from the heard word on.

        `make` gives a plan, once the conversation does not call them interrupted any more; all that
        was wanted of the last of them holds for it too.
        """
        olds = [reply for rev in cut if (reply := self._replies.get(rev)) is not None]
        if not olds:
            self.begin(make(), held=False)
            return
        rest = " ".join(old.text[self._memory.uncut(old) :].strip() for old in olds).strip()
        old, plan = olds[-1], make()
        kept = old.plan.conversation_id is not None
        plan = replace(
            old.plan,
            rev=plan.rev,
            previous_item_id=plan.previous_item_id,
            messages=plan.messages if kept else old.plan.messages,
        )
        if old.complete:
            self._start(Reply(plan), partial(_tell, rest), held=False)
        else:
            ask = partial(_go_on, rest, old.text, self._llm, plan)
            self._start(Reply(plan), ask, held=False)

    def _start(self, reply: Reply, ask: Deltas, *, held: bool) -> None:
        rev = reply.plan.rev
        for old in list(self._replies)[:-REMEMBERED]:
            del self._replies[old]
        self._replies[rev] = reply
        if held:
            self._outbox.hold(rev)
        else:
            self.release(rev)
        self._launch(rev, "reply", self._make(reply, ask))
        if self._extended:
            self._launch(rev, "show", show(reply, partial(self._put_shown, rev)))

    def _put_shown(self, rev: Rev, event: wire.ServerEvent) -> None:
        self._outbox.put(Outgoing(event, rev, content=True))

    async def _make(self, reply: Reply, ask: Deltas) -> None:
        await respond(
            reply,
            ask=ask,
            tts=self._tts,
            emit=partial(self._emit, reply),
            room=partial(self._room, reply),
        )
        self._memory.remember(reply)
        metrics.REPLIES.labels(reply.usage.reason).inc()
        rev = reply.plan.rev
        calls = {item.call_id for item in reply.output if isinstance(item, FunctionCallItem)}
        self._feed(ev.ReplyEnded(rev, asks=reply.asks, calls=bool(calls)))
        wait = self._settings.turn.tool_wait_ms
        if wait and not calls <= self._memory.conversation.answered:
            self._launch(rev, "tool", self._await_tool(wait / 1000))

    async def _await_tool(self, seconds: float) -> None:
        """Cancelled when the function has answered."""
        await asyncio.sleep(seconds)
        self._feed(ev.ToolSlow())

    def _emit(
        self,
        reply: Reply,
        event: wire.ServerEvent,
        *,
        seconds: float = 0.0,
        content: bool = False,
    ) -> None:
        if isinstance(event, wire.ItemAdded | wire.ItemDone):
            self._memory.remember(reply)
        if isinstance(event, wire.EXTENSIONS) and not self._extended:
            return
        if isinstance(event, wire.AudioDelta):
            self._memory.record(reply, event.delta)
        for made in reply.encoded(event):
            self._outbox.put(Outgoing(made, reply.plan.rev, seconds, content))
            seconds = 0.0

    async def _room(self, reply: Reply) -> None:
        """Wait until more of the reply's speech is wanted."""
        if self._settings.turn.speculation == "llm":
            await reply.released.wait()
        await self._outbox.room()
        if reply.first_sent is not None:
            # Speech far ahead of the listener is wasted if they interrupt.
            until = reply.first_sent + reply.seconds
            await asyncio.sleep(until - self._settings.tts.lead_seconds - self._loop.time())
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until - HEEDED):
                    await self._undisturbed.wait()

    # --- on its way

    def release(self, rev: Rev) -> None:
        """Let it out."""
        reply = self._replies[rev]
        reply.released.set()
        self._memory.remember(reply)
        self._outbox.release(rev)

    def is_active(self, response_id: str) -> bool:
        """Whether the reply with this id was let out and is not over."""
        return any(
            reply.id == response_id and reply.released.is_set() and not reply.done
            for reply in self._replies.values()
        )

    def sent(self, out: Outgoing[wire.ServerEvent]) -> None:
        """A message has been handed to the client's socket."""
        reply = self._replies.get(out.rev) if out.rev is not None else None
        if reply is None or out.rev is None or not out.seconds:
            return
        reply.sent += out.seconds
        now = self._loop.time()
        if reply.first_sent is None:
            reply.begins = max(self._until, now)
        self._until = max(self._until, now) + out.seconds
        if isinstance(out.message, wire.AudioDelta):
            law = reply.plan.format.type
            self._ears.play(out.message.delta, of=reply.item_id, encoding=law)
        if reply.first_sent is None:
            reply.first_sent = now
            took = self._stamps.report(out.rev.turn, reply.stamps, reply.first_sent)
            reply.took = {stage: round(value * 1000, 1) for stage, value in took.items()}
            if self._extended:
                shown = dict(reply.took)
                timings = wire.Timings(response_id=reply.id, turn=out.rev.turn, stages=shown)
                self._outbox.put(Outgoing(timings, None))
        self._feed(ev.AudioSent(out.rev, int(out.seconds * HEARD_RATE)))

    # --- its end

    def cancel(self, rev: Rev, reason: Literal["turn_detected", "client_cancelled"]) -> None:
        """Cut it short, wherever it is; it is remembered as far as it was heard."""
        reply = self._replies[rev]
        last: list[wire.ServerEvent] = []
        now = self._loop.time()
        self._until = min(self._until, now + ECHOES)
        self._ears.hush()
        self._memory.cut(reply, reply.heard_by(now))
        if not reply.done:
            details = wire.StatusDetails(type="cancelled", reason=reason)
            last += closing(reply, "cancelled", details)
            metrics.REPLIES.labels("cancelled").inc()
        if self._extended:
            last.append(wire.OutputCleared(response_id=reply.id))
        self._outbox.cut(rev, last)

    def retract(self, rev: Rev, gone: list[wire.ServerEvent]) -> None:
        """Nobody has heard it, and it is taken back; the events `gone` follow its end."""
        reply = self._replies.pop(rev, None)
        events: list[wire.ServerEvent] = []
        if reply is not None:
            details = wire.StatusDetails(type="cancelled", reason="turn_detected")
            events += closing(reply, "cancelled", details) if not reply.done else []
            events += [wire.ItemDeleted(item_id=i) for i in self._memory.forget_reply(reply)]
        self._ears.hush()
        self._outbox.cut(rev, events + gone)

    def abandon(self, rev: Rev) -> None:
        """It was prepared for nothing, and leaves no trace but in the metrics."""
        self._outbox.drop(rev)
        metrics.ABANDONED.inc()
        reply = self._replies.pop(rev, None)
        if reply is not None:
            self._memory.recordings.forget(reply.item_id)
            metrics.WASTED_CHARS.inc(len(reply.text))
            metrics.WASTED_SPEECH.inc(reply.seconds)


async def _tell(text: str) -> AsyncGenerator[Delta, None]:
    yield TextDelta(text)
    yield Finished("stop")


async def _go_on(rest: str, said: str, llm: Llm, plan: Plan) -> AsyncGenerator[Delta, None]:
    """The `rest` of what the model had `said`, then what it says when it is asked to go on."""
    if rest:
        yield TextDelta(rest)
    messages = list(plan.messages)
    if said:
        if messages and messages[-1].role == "assistant":
            said = f"{messages.pop().text} {rest}"  # there may be more in it than this reply
        messages += [Message("assistant", said), Message("user", GO_ON)]
    gap = " " if rest and not rest[-1].isspace() else ""
    async for delta in llm.respond(messages, plan.options):
        if gap and isinstance(delta, TextDelta):
            delta, gap = replace(delta, text=gap + delta.text), ""  # noqa: PLW2901
        yield delta
