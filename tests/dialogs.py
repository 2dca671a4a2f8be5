"""Dialogs to begin with, for tests of who has the floor."""

from __future__ import annotations

from voice import events as ev
from voice.audio import HEARD_RATE
from voice.dialog import Dialog
from voice.events import Rev
from voice.turn import Policy

S = HEARD_RATE
SEMANTIC = Policy()
PTT = Policy(detection="none", create_response=False, request_follows=True)
SERVER = Policy(detection="server_vad")


def feed(dialog: Dialog, *events: ev.Event) -> list[ev.Action]:
    """The actions that follow from all of the events."""
    return [action for event in events for action in dialog.feed(event)]


def answering(policy: Policy = SEMANTIC) -> Dialog:
    """A dialog whose first reply, 5 s so far, is being made and is heard since 4 s."""
    dialog = Dialog(policy)
    feed(dialog, ev.SpeechStarted(S), ev.SpeechPaused(2 * S), ev.Transcribed(Rev(1, 1), "Hello."))
    feed(dialog, ev.Elapsed(4 * S), ev.AudioSent(Rev(1, 1), 5 * S))
    assert dialog.replying
    return dialog
