"""The sound of what was said: kept as a file, given to its owner alone, gone with its message."""

from __future__ import annotations

import pytest

from chat.attachments import files
from chat.storage import messages
from chat.storage.records import NewMessage
from tests.chat.api.desk import OTHER, Desk

SOUND = b"RIFF....WAVE"


async def test_a_recording_is_served_and_goes_with_its_conversation(api: Desk) -> None:
    data_dir = api.storage.files.parent
    conversation = (await api.new())["id"]
    names = [files.save_sound(data_dir, SOUND, suffix) for suffix in (".wav", ".opus")]
    new = [NewMessage("user", "Said", spoken=True, audio=name) for name in names]
    made = await messages.append(
        api.storage, "anna", conversation, *new, NewMessage("assistant", "Mute")
    )
    path = f"/conversations/{conversation}/messages"
    listed = (await api.client.get(path)).json()["messages"]
    assert [message["audio"] for message in listed] == [True, True, False]
    for message, kind in zip(made, ("audio/wav", "audio/ogg"), strict=False):
        sound = await api.client.get(f"{path}/{message.id}/audio")
        assert (sound.content, sound.headers["content-type"]) == (SOUND, kind)
        part = await api.client.get(f"{path}/{message.id}/audio", headers={"range": "bytes=0-3"})
        assert (part.status_code, part.content) == (206, SOUND[:4])
        theirs = await api.client.get(f"{path}/{message.id}/audio", headers=OTHER)
        assert theirs.status_code == 404
    assert (await api.client.get(f"{path}/{made[2].id}/audio")).json()["code"] == "not_found"
    assert all((api.storage.files / name).exists() for name in names)
    assert (await api.client.post(f"/conversations/{conversation}/purge")).status_code == 204
    assert not any((api.storage.files / name).exists() for name in names)


def test_only_sounds_are_kept_as_sounds(api: Desk) -> None:
    for suffix in (".exe", ".wav/../x", ""):
        with pytest.raises(ValueError, match="suffix"):
            files.save_sound(api.storage.files.parent, SOUND, suffix)
