"""What clients may say of a reply's length: exactly what there was of it, in whole milliseconds."""

import pytest

from tests.replies import planned
from voice.errors import BadEvent
from voice.memory import Memory
from voice.response import Reply


def spoken(memory: Memory, seconds: float) -> Reply:
    """A reply of so many seconds, let out whole and in the conversation."""
    reply = Reply(planned(), text="Good morning.", seconds=seconds, open=True)
    reply.released.set()
    memory.remember(reply)
    return reply


# Clients that count samples round up, to the millisecond that the last one is in.
@pytest.mark.parametrize(("samples", "longest"), [(38_382, 1600), (38_400, 1600), (38_401, 1601)])
def test_a_reply_may_have_been_heard_to_its_last_sample(samples: int, longest: int) -> None:
    memory = Memory(items=10, text_chars=1000)
    reply = spoken(memory, samples / 24_000)
    with pytest.raises(BadEvent, match=f"is {longest} ms long"):
        memory.truncate(reply.item_id, longest + 1)
    memory.truncate(reply.item_id, longest)
    assert reply.heard == reply.seconds
