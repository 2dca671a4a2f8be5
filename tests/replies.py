"""A spoken reply to begin with."""

from __future__ import annotations

from chat.providers import ChatOptions
from voice.events import Rev
from voice.response import Plan


def planned() -> Plan:
    """What is asked for: the first reply, in the usual voice."""
    return Plan(
        rev=Rev(1, 0),
        messages=[],
        options=ChatOptions(),
        modality="audio",
        voice="af_heart",
        language="en-US",
        speed=1.0,
        conversation_id="conv",
        previous_item_id=None,
    )
