"""A conversation as Markdown: the branch that is shown, as one reads it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from chat.storage.records import Conversation, Message

SPEAKERS = {"user": "You", "assistant": "Assistant", "system": "System", "tool": "Tool"}


def branch_of(conversation: Conversation, messages: Sequence[Message]) -> list[Message]:
    """The messages from the first to the head; without a head, the newest one's branch."""
    by_id = {message.id: message for message in messages}
    head = conversation.head or (messages[-1].id if messages else None)
    branch: list[Message] = []
    while head is not None and head in by_id:
        branch.append(by_id.pop(head))
        head = branch[-1].parent_id
    return branch[::-1]


def to_markdown(conversation: Conversation, messages: Sequence[Message]) -> str:
    """The shown branch of the conversation; `messages` is its whole tree."""
    lines = [f"# {_line(conversation.title)}", "", f"*{stamp(conversation.created_at)}*"]
    if conversation.tags:
        lines += ["", "Tags: " + ", ".join(map(_line, conversation.tags))]
    for message in branch_of(conversation, messages):
        lines += ["", "---", "", f"**{SPEAKERS[message.role]}** · {stamp(message.created_at)}"]
        if marks := remarks(message):
            lines[-1] += f" · {marks}"
        if message.text:
            lines += ["", _closed(message.text)]
        lines += [f"\n- Attachment: {_line(file.name)}" for file in message.attachments]
        for call in message.tool_calls:
            lines += ["", f"Called `{call.name}`:", "", _fenced(call.arguments)]
    return "\n".join(lines) + "\n"


def remarks(message: Message) -> str:
    """What there is to know about a message besides its text."""
    found = []
    if message.spoken:
        found.append("spoken")
    if message.cut:
        found.append("interrupted; this is what was heard")
    elif message.status != "complete":
        found.append(message.status)
    if message.model:
        found.append(message.model)
    return ", ".join(found)


def stamp(moment: datetime) -> str:
    """A time as people read it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def file_name(conversation: Conversation, suffix: str) -> str:
    """A file name that says what is in it and is allowed everywhere."""
    words = re.sub(r"[^\w\- ]+", " ", conversation.title)
    words = re.sub(r"[\s_]+", "-", words).strip("-")[:60] or "conversation"
    day = conversation.created_at.astimezone(UTC).strftime("%Y-%m-%d")
    return f"{day}-{words}{suffix}"


def _line(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#])", r"\\\1", " ".join(text.split()))


def _fenced(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"


def _closed(text: str) -> str:
    """`text` with an open code fence closed, so that it does not swallow what follows."""
    fence = ""
    for line in text.splitlines():
        found = re.match(r" {0,3}(`{3,}|~{3,})(.*)", line)
        if not found:
            continue
        if not fence:
            if "`" not in found[2] or found[1][0] == "~":
                fence = found[1]
        elif found[1].startswith(fence) and not found[2].strip():
            fence = ""
    return f"{text}\n{fence}" if fence else text
