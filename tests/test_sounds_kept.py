"""With recordings on, the sound of what is said lies beside its message, and goes with it."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import numpy as np

from chat.storage import LOCAL_OWNER, Storage, conversations, messages, purging
from chat.storage.records import Message, now
from tests.scripted.script import Script
from tests.test_gateway import Running, ask_in_text, running
from tests.test_line import Guest
from tests.test_scribe import attached, heard, leave_after_two_words, send
from voice.audio import HEARD_RATE
from voice.protocol import frames
from voice.rest.decoding import decode

ON: dict[str, Any] = {"storage": {"recordings": True}}
SPEECH = np.full(24_000, 0.01 * 32_767, dtype="<i2").tobytes()
"""A second of what the scripted recogniser takes for its first words."""


def storage_of(server: Running) -> Storage:
    library = server.service.library
    assert library is not None
    storage: Storage = library.storage
    return storage


async def until(server: Running, conversation: str, count: int) -> tuple[Message, ...]:
    """The messages, once there are so many and the last one has ended."""
    async with asyncio.timeout(20):
        while True:
            page = await messages.page(storage_of(server), LOCAL_OWNER, conversation)
            if len(page.messages) >= count:
                return page.messages
            await asyncio.sleep(0.02)


def seconds(data_dir: Path, message: Message) -> float:
    """How long its sound is, as a player decodes it."""
    assert message.audio is not None
    assert message.audio.endswith(".flac")
    sound = io.BytesIO((data_dir / "attachments" / message.audio).read_bytes())
    return decode(sound, seconds=600).size / HEARD_RATE


async def speak(guest: Guest) -> None:
    for piece in (SPEECH, bytes(48_000)):
        for at in range(0, len(piece), 9600):
            await guest.socket.send(frames.encode(frames.MICROPHONE, 0, piece[at : at + 9600]))


async def test_both_sides_are_recorded_the_reply_as_far_as_it_was_heard(tmp_path: Path) -> None:
    script = Script().answers("One two three four five.").answers("Good.")
    script._texts[1] = "Count, please."
    async with running(script, data_dir=tmp_path, **ON) as server:
        guest = Guest(server)
        await guest.connect()
        await send(guest, "conversation.attach")
        await speak(guest)
        await guest.read_until("response.done")
        words = next(e for e in guest.events if e["type"] == "response.output_audio.words")["words"]
        done = next(e for e in guest.events if e["type"] == "response.done")
        item = done["response"]["output"][0]
        cut = {"content_index": 0, "audio_end_ms": words[1]["end_ms"]}
        await send(guest, "conversation.item.truncate", item_id=item["id"], **cut)
        name = await attached(guest)
        asked, answered = await until(server, name, 2)
        assert (asked.text, answered.text) == ("Count, please.", "One two")
        assert 0.9 < seconds(tmp_path, asked) < 2.0
        assert abs(seconds(tmp_path, answered) - words[1]["end_ms"] / 1000) < 0.01

        # What is written has no sound of its own; what answers it does.
        await ask_in_text(guest.socket, "Thanks.")
        await heard(guest)
        *_, typed, last = await until(server, name, 4)
        assert typed.audio is None
        assert seconds(tmp_path, last) > 0.2

        await conversations.delete(storage_of(server), LOCAL_OWNER, name)
        gone = await purging.purge(storage_of(server), before=now())
        assert set(gone.files) == {asked.audio, answered.audio, last.audio}


async def test_what_is_heard_at_last_of_a_reply_is_recorded_when_the_client_leaves(
    tmp_path: Path,
) -> None:
    script = Script().answers("One two three four five.")
    async with running(script, data_dir=tmp_path, **ON) as server:
        guest = Guest(server)
        await guest.connect()
        name, ms = await leave_after_two_words(guest)
        _, answered = await until(server, name, 2)
        assert answered.text == "One two"
        assert abs(seconds(tmp_path, answered) - ms / 1000) < 0.01


async def test_nothing_is_recorded_where_it_is_not_wanted(tmp_path: Path) -> None:
    """By default; and of a conversation that never touches the disk."""
    for on, ephemeral in ((False, False), (True, True)):
        script = Script().answers("Good.")
        script._texts[1] = "Hello."
        given = ON if on else {}
        async with running(script, data_dir=tmp_path / str(on), **given) as server:
            guest = Guest(server)
            await guest.connect()
            await send(guest, "conversation.attach", ephemeral=ephemeral)
            await speak(guest)
            await heard(guest)
            found = await until(server, await attached(guest), 2)
            assert [message.audio for message in found] == [None, None]
            assert not list((tmp_path / str(on) / "attachments").iterdir())
