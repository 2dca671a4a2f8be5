"""Writes down what is said in a session, behind its back: nobody waits for the disk.

It looks again and again at what the conversation has become, and writes the difference.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from chat.conversation import CallItem, Item, MessageItem, OutputItem
from chat.errors import ChatError
from chat.notebook import Changes, Notebook, Page, compare, gone, message_id
from chat.storage.records import Message, NewMessage, StoredCall, is_ephemeral
from voice.audio import SPOKEN_RATE
from voice.memory import Memory
from voice.response import Reply

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""How long what was said may take until it is written."""

CLOSE = 0.25
"""A reply is heard to its end if no more than so many seconds are missing from the last report."""

TRY_AGAIN_SECONDS = 2.0
"""... if the storage is busy or broken."""


LONGEST_SECONDS = 600.0
"""Of so much of the newest sound recordings can be made."""


class Scribe:
    """Of one session. `told` is called with the conversation's id once there is one."""

    def __init__(
        self, notebook: Notebook, owner: str, memory: Memory, *, told: Callable[[str], None]
    ) -> None:
        self.conversation_id: str | None = None
        """The conversation that is written to; None: one is begun with the first words."""
        self._notebook = notebook
        self._owner = owner
        self._memory = memory
        self._told = told
        self._on = False
        self._ephemeral = False
        self._seen: object = None
        self._written: dict[str, NewMessage] = {}
        self._sounds: dict[str, tuple[int, str | None]] = {}
        """What was recorded of each message: how many bytes of sound, and the name of its file."""
        if notebook.records:
            memory.recordings.hold(LONGEST_SECONDS)

    async def attach(self, conversation_id: str | None, *, ephemeral: bool = False) -> list[Item]:
        """From now on write into this conversation, or (None) into a new one.

        Returns what was said in it so far; `begin` once the session knows that. Raises `ChatError`
        `not_found`.
        """
        await self.write()
        page = Page("", ())
        if conversation_id is not None:
            page = await self._notebook.open(self._owner, conversation_id)
        self.conversation_id, self._ephemeral, self._on = conversation_id, ephemeral, False
        self._seen = None
        return list(_items(page.messages))

    def begin(self) -> None:
        """The conversation is what was attached: all of it is written already."""
        self._written = {message.id: message for message in _messages(self._memory, last=False)}
        self._sounds = {}
        self._on = True

    async def go_on(self, conversation_id: str) -> None:
        """Write on into a conversation that this session, in another process, has begun."""
        self.conversation_id = conversation_id
        try:
            page = await self._notebook.open(self._owner, conversation_id)
        except ChatError as error:
            log.warning("a conversation is not written down any further: %s", error.message)
            return
        there = {message.id for message in page.messages}
        self.begin()
        self._written = {name: each for name, each in self._written.items() if name in there}

    async def run(self) -> None:
        """Write whenever there is something, for ever."""
        while True:
            wrote = await self.write()
            await asyncio.sleep(LOOK_SECONDS if wrote else TRY_AGAIN_SECONDS)

    async def write(self, *, last: bool = False) -> bool:
        """Write what is new; whether that worked. `last`: the session is over."""
        state = (self._memory.conversation.changes, self._memory.reports, last)
        if not self._on or state == self._seen:
            return True
        changes = compare(self._written, _messages(self._memory, last=last))
        try:
            if changes.new or changes.other:
                await self._write(changes)
        except ChatError as error:
            if gone(error):
                self._on = False  # it was deleted: there is nothing to write to
                return True
            log.warning("a conversation cannot be written down: %s", error.message)
            return False
        self._seen = state
        self._written |= {message.id: message for message in (*changes.new, *changes.other)}
        return True

    async def _write(self, changes: Changes) -> None:
        if self.conversation_id is None:
            begun = await self._notebook.begin(self._owner, ephemeral=self._ephemeral)
            self.conversation_id = begun
            self._told(begun)
        if self._notebook.records and not is_ephemeral(self.conversation_id):
            items = {message_id(item_id): item_id for item_id in self._memory.conversation.ids}
            new = [await self._recorded(message, items) for message in changes.new]
            other = [await self._recorded(message, items) for message in changes.other]
            changes = Changes(tuple(new), tuple(other))
        await self._notebook.write(self._owner, self.conversation_id, changes)

    async def _recorded(self, message: NewMessage, items: Mapping[str, str]) -> NewMessage:
        """The message with its sound; of a reply as far as that was heard."""
        item_id = items.get(message.id, "")
        sound = self._memory.recordings.get(item_id)
        reply = self._memory.reply(item_id)
        if sound and reply is not None and message.cut:
            sound = sound[: round((reply.heard or 0.0) * SPOKEN_RATE) * 2]
        if not sound or not message.spoken:
            return message
        length, name = self._sounds.get(message.id, (0, None))
        if length != len(sound):
            name = await self._notebook.keep_sound(sound)
            self._sounds[message.id] = len(sound), name
        return replace(message, audio=name)


def _messages(memory: Memory, *, last: bool) -> Iterable[NewMessage]:
    """What is to be stored of a conversation: all that has words or calls a function, up to where
    it is not known yet what was said, or heard.
    """
    items = memory.heard() if last else list(memory.conversation)
    for number, item in enumerate(items):
        if ":" in item.id:
            continue  # it is a part of the message before it
        name = message_id(item.id)
        match item:
            case MessageItem():
                newest = number == len(items) - 1
                if not last and not _settled(item, memory.reply(item.id), newest=newest):
                    return
                if item.text:
                    yield _message(item, name, memory)
            case CallItem():
                call = StoredCall(item.call_id, item.name, item.arguments)
                yield NewMessage("assistant", "", id=name, tool_calls=(call,))
            case OutputItem():
                yield NewMessage("tool", item.output, id=name, tool_call_id=item.call_id)


def _settled(item: MessageItem, reply: Reply | None, *, newest: bool) -> bool:
    if item.text is None:
        return False
    if reply is None or reply.cut:
        return True
    heard = (reply.heard or 0.0) >= reply.seconds - CLOSE
    return reply.done and (heard or not reply.spoken or not newest)


def _message(item: MessageItem, name: str, memory: Memory) -> NewMessage:
    reply = memory.reply(item.id)
    plain = NewMessage(
        item.role, item.text or "", id=name, cut=item.cut, spoken=memory.spoken(item.id)
    )
    if reply is None:
        return plain
    return replace(
        plain,
        status="interrupted" if item.cut else "complete",
        prompt_tokens=reply.usage.prompt_tokens,
        completion_tokens=reply.usage.completion_tokens,
        timings=reply.took,
    )


def _items(messages: Iterable[Message]) -> Iterable[Item]:
    """Stored messages as a session knows them."""
    for message in messages:
        if message.role == "tool":
            yield OutputItem(message.id, message.tool_call_id, message.text)
            continue
        parts: list[Item] = []
        if message.text:
            parts.append(MessageItem(message.id, message.role, message.text, message.cut))
        parts += [CallItem(message.id, c.id, c.name, c.arguments) for c in message.tool_calls]
        for number, part in enumerate(parts):
            yield replace(part, id=f"{part.id}:{number}") if number else part
