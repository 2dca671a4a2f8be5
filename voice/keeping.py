"""What is kept of a session elsewhere: a copy for another process, and what is written down."""

from __future__ import annotations

import asyncio

from chat.notebook import Notebook
from voice import events as ev
from voice.errors import BadEvent
from voice.protocol import server as wire
from voice.scribe import Scribe
from voice.session import Session
from voice.snapshot import Snapshot, items_of


def shot(session: Session, whose: tuple[str, str]) -> Snapshot:
    """The session as another process can go on with it."""
    return Snapshot(
        session_id=session.id,
        whose=whose,
        config=session.config,
        items=items_of(session.memory.heard()),
        languages=session.transcripts.heard_before,
        conversation_id=session.scribe.conversation_id if session.scribe else None,
    )


async def recall(session: Session, snapshot: Snapshot) -> None:
    """Go on with a session that another process had."""
    session.id = snapshot.session_id
    session.memory.recall(snapshot.conversation)
    session.transcripts.heard_before = list(snapshot.languages)
    session.configure(snapshot.config)
    if session.scribe is not None and snapshot.conversation_id is not None:
        await session.scribe.go_on(snapshot.conversation_id)


def write_down(session: Session, notebook: Notebook, owner: str, group: asyncio.TaskGroup) -> None:
    """Keep what is said in `notebook`, once the client wants that."""

    def told(conversation_id: str) -> None:
        session.put(wire.ConversationAttached(conversation_id=conversation_id))

    session.scribe = Scribe(notebook, owner, session.memory, told=told)
    group.create_task(session.scribe.run())


async def attach(session: Session, conversation_id: str | None, *, ephemeral: bool) -> None:
    """Go on with a stored conversation, or begin one. Raises `BadEvent` `not_stored` where none are
    kept, and `ChatError` `not_found`.
    """
    if session.scribe is None:
        raise BadEvent("this server keeps no conversations", code="not_stored")
    session.feed(ev.CancelRequested(playing=True))
    items = await session.scribe.attach(conversation_id, ephemeral=ephemeral)
    session.feed(ev.CancelRequested(playing=True))
    session.feed(ev.AudioCleared(session.ears.tape.end))
    session.ears.segmenter.reset()
    session.memory.clear()
    session.memory.recall(items)
    session.scribe.begin()
    session.put(wire.ConversationAttached(conversation_id=conversation_id))
