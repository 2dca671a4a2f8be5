"""Conversations of any shape, for property tests."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from chat.storage.records import Attachment, Conversation, Message, StoredCall

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30)
TIMES = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001  the strategy adds the zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
COUNTS = st.integers(0, 2**40)


@st.composite
def trees(draw: st.DrawFn) -> tuple[Conversation, list[Message]]:
    """A conversation and its whole tree, parents first."""
    count = draw(st.integers(0, 7))
    ids = [f"msg_{number}" for number in range(count)]
    messages = [
        Message(
            id=ids[number],
            conversation_id="conv_1",
            parent_id=draw(st.sampled_from([None, *ids[:number]])),
            role=draw(st.sampled_from(["user", "assistant", "system", "tool"])),
            text=draw(TEXT),
            status=draw(st.sampled_from(["complete", "interrupted", "failed"])),
            cut=draw(st.booleans()),
            spoken=draw(st.booleans()),
            model=draw(TEXT),
            prompt_tokens=draw(COUNTS),
            completion_tokens=draw(COUNTS),
            timings=draw(
                st.dictionaries(TEXT, st.floats(0, 1e9, allow_subnormal=False), max_size=2)
            ),
            tool_calls=tuple(draw(st.lists(st.builds(StoredCall, TEXT, TEXT, TEXT), max_size=2))),
            tool_call_id=draw(TEXT),
            attachments=(),
            audio=None,
            error=draw(st.none() | TEXT.filter(bool)),
            created_at=draw(TIMES),
            position=number + 1,
        )
        for number in range(count)
    ]
    tags = draw(st.lists(TEXT.map(str.strip).filter(bool), max_size=3, unique=True))
    conversation = Conversation(
        id="conv_1",
        title=draw(TEXT.map(str.strip).filter(bool)),
        title_source=draw(st.sampled_from(["temporary", "made", "given"])),
        pinned=draw(st.booleans()),
        archived=draw(st.booleans()),
        tags=tuple(tags),
        draft=draw(TEXT),
        head=draw(st.sampled_from(ids)) if ids else None,
        version=1,
        created_at=draw(TIMES),
        updated_at=draw(TIMES),
    )
    return conversation, messages


def shape(conversation: Conversation, messages: list[Message] | tuple[Message, ...]) -> object:
    """All that matters of a conversation, without ids: two that are equal here are the same."""
    number = {message.id: place for place, message in enumerate(messages)}

    def files(attachments: tuple[Attachment, ...]) -> list[tuple[str, str, int]]:
        return [(file.name, file.media_type, file.size) for file in attachments]

    return (
        conversation.title,
        conversation.title_source,
        conversation.pinned,
        conversation.archived,
        conversation.tags,
        conversation.draft,
        number.get(conversation.head or ""),
        conversation.created_at,
        conversation.updated_at,
        [
            (
                number.get(one.parent_id or ""),
                one.role,
                one.text,
                one.status,
                one.cut,
                one.spoken,
                one.model,
                one.prompt_tokens,
                one.completion_tokens,
                dict(one.timings),
                one.tool_calls,
                one.tool_call_id,
                files(one.attachments),
                one.error,
                one.created_at,
            )
            for one in messages
        ],
    )
