"""What was said in a session: the conversation, and of each reply how much was heard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import ceil

from chat.conversation import Conversation, MessageItem
from chat.conversation import Item as ChatItem
from voice.audio import Pcm
from voice.errors import BadEvent
from voice.heard import heard_chars
from voice.items import from_wire, to_wire
from voice.protocol.client import ItemReference
from voice.protocol.items import Item
from voice.protocol.items import MessageItem as WireMessage
from voice.recordings import Recordings
from voice.response import Reply

RECORDED = 120
"""Seconds of the conversation's sound that can be asked for again."""
REPORTED_SECONDS = 0.001
"""How exactly clients say what they have played: in whole milliseconds, rounded down."""


class Memory:
    """The conversation of one session. It never holds a word of a reply that is not let out."""

    def __init__(self, *, items: int, text_chars: int) -> None:
        self.conversation = Conversation()
        self._limit = items
        self._text_chars = text_chars
        self._replies: dict[str, Reply] = {}
        """The replies behind the assistant's messages."""
        self._spoken: dict[str, Reply | None] = {}
        """Items with sound: the reply behind an assistant's message, None for a user's speech."""
        self.recordings = Recordings(RECORDED)
        self.reports = 0
        """How often the client said how much it has played."""

    @property
    def last_id(self) -> str | None:
        """The id of the newest item."""
        ids = self.conversation.ids
        return ids[-1] if ids else None

    def add_speech(self, item_id: str, text: str | None, pcm: Pcm) -> None:
        """The user said something, 16 kHz; the text is None while it is being transcribed."""
        self._spoken[item_id] = None
        self.recordings.hear(item_id, pcm)
        self.conversation.add(MessageItem(item_id, "user", text))

    def add(self, item: Item, after: str | None) -> ChatItem:
        """The client added an item; raises `BadEvent` or `ChatError`."""
        made = from_wire(item, text_chars=self._text_chars)
        self.conversation.add(made, after=after)
        return made

    def show(self, item_id: str) -> Item:
        """The item as it appears on the wire; raises `ChatError` `item_not_found`."""
        return to_wire(self.conversation.get(item_id), audio=item_id in self._spoken)

    def play(self, item_id: str) -> Item:
        """The item with its sound, as far as that is kept; raises `ChatError` `item_not_found`."""
        item = self.show(item_id)
        if isinstance(item, WireMessage) and item_id in self._spoken:
            item.content[0].audio = self.recordings.get(item_id)
        return item

    def chosen(self, items: Iterable[Item | ItemReference]) -> list[ChatItem]:
        """The items that a response is to answer instead of the conversation.

        Raises `ChatError` `item_not_found`, or `BadEvent` as for an item that is added.
        """
        return [
            self.conversation.get(item.id)
            if isinstance(item, ItemReference)
            else from_wire(item, text_chars=self._text_chars)
            for item in items
        ]

    def forget(self, item_id: str) -> None:
        """Take an item out; raises `ChatError` `item_not_found`."""
        self.conversation.delete(item_id)
        self._spoken.pop(item_id, None)
        self._replies.pop(item_id, None)
        self.recordings.forget(item_id)

    def reply(self, item_id: str) -> Reply | None:
        """The reply that is behind an assistant's message, if it was made in this session."""
        return self._replies.get(item_id)

    def spoken(self, item_id: str) -> bool:
        """Whether the item was spoken, by either side."""
        return item_id in self._spoken

    def clear(self) -> list[str]:
        """Forget everything; returns the ids of what there was."""
        ids = list(self.conversation.ids)
        for item_id in ids:
            self.forget(item_id)
        return ids

    def recall(self, items: Iterable[ChatItem]) -> None:
        """The conversation so far, whose sound is gone."""
        for item in items:
            self.conversation.add(item)

    def heard(self) -> list[ChatItem]:
        """The conversation as far as it was heard: of what still plays only that."""
        return [
            replace(item, text=reply.text[: heard_chars(reply.words, reply.heard or 0.0)], cut=True)
            if (reply := self._spoken.get(item.id))
            and isinstance(item, MessageItem)
            and (reply.heard or 0.0) < reply.seconds - REPORTED_SECONDS
            and not reply.cut
            else item
            for item in self.conversation
        ]

    def overflow(self) -> list[str]:
        """Drop the oldest items above the limit; returns their ids."""
        ids = self.conversation.ids
        oldest = list(ids[: max(0, len(ids) - self._limit)])
        for item_id in oldest:
            self.forget(item_id)
        return oldest

    def remember(self, reply: Reply) -> None:
        """Bring the conversation up to what the reply has become. To be called again and again."""
        if reply.plan.conversation_id is None or not reply.released.is_set():
            return
        for item in _items(reply):
            item_id = str(item.id)
            if item_id not in self.conversation:
                self.conversation.add(from_wire(item, text_chars=2**63))
                if isinstance(item, WireMessage):
                    self._replies[item_id] = reply
                    if reply.spoken:
                        self._spoken[item_id] = reply
            elif isinstance(item, WireMessage) and not reply.cut:
                self.conversation.set_text(item_id, reply.text)

    def record(self, reply: Reply, pcm16: bytes) -> None:
        """Keep a piece of the reply's sound, PCM16 at 24 kHz."""
        if reply.plan.conversation_id is not None:
            self.recordings.add(reply.item_id, pcm16)

    def forget_reply(self, reply: Reply) -> list[str]:
        """The reply never was; returns the ids of the items that went with it."""
        ids = [item_id for item in _items(reply) if (item_id := str(item.id)) in self.conversation]
        for item_id in ids:
            self.forget(item_id)
        return ids

    def cut(self, reply: Reply, seconds: float) -> None:
        """The listener heard no more than `seconds` of the reply's audio."""
        self.remember(reply)
        reply.cut = True
        heard = heard_chars(reply.words, seconds) if reply.spoken else len(reply.text)
        reply.heard_chars = heard
        if reply.item_id in self.conversation:
            self.conversation.truncate(reply.item_id, reply.text[:heard])
            self.recordings.cut(reply.item_id, seconds)

    def uncut(self, reply: Reply) -> int:
        """The rest of the reply follows after all, so that nobody interrupted it.

        Returns how many characters of its text were heard.
        """
        reply.resumed = True
        if reply.item_id in self.conversation:
            self.conversation.uncut(reply.item_id)
        return reply.heard_chars

    def truncate(self, item_id: str, audio_end_ms: int) -> Reply:
        """The client says how much was heard of an item; returns the reply that belongs to.

        Raises `BadEvent` `invalid_value` if the item has less audio than that or none at all.
        """
        self.conversation.get(item_id)
        reply = self._spoken.get(item_id)
        if reply is None:
            raise BadEvent("this item has no reply audio", code="invalid_value", param="item_id")
        # The next whole millisecond, which is as near as a client can say that it played all.
        duration = ceil(round(reply.seconds * 1000, 3))
        if not 0 <= audio_end_ms <= duration:
            raise BadEvent(
                f"the audio of this item is {duration} ms long",
                code="invalid_value",
                param="audio_end_ms",
            )
        # It knows better than our clock, which may come later.
        reply.heard = min(audio_end_ms / 1000, reply.seconds)
        self.cut(reply, reply.heard)
        return reply

    def played(self, item_id: str, audio_end_ms: int) -> Reply | None:
        """The client reports how much it has played; returns the reply that belongs to."""
        reply = self._spoken.get(item_id)
        if reply is not None:
            self.reports += 1
            reply.heard = min(max(audio_end_ms / 1000, 0.0), reply.seconds)
            if reply.cut and not reply.resumed:
                self.cut(reply, reply.heard)
        return reply


def _items(reply: Reply) -> Iterable[Item]:
    yield from reply.output
    if reply.open:
        yield reply.item("in_progress")
