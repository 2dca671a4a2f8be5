"""From a stored conversation to a prompt that fits the model it goes to. Pure, but for
`fit_summarised`, which awaits a summary.

`chat.prompts` does the same for what is spoken, where nothing is attached.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from chat.errors import ChatError
from chat.prompts import (
    CHARS_PER_TOKEN,
    CUT_MARK,
    MESSAGE_TOKENS,
    UNSEEN,
    add_message,
    estimate_tokens,
    first_kept,
    message_tokens,
    tool_tokens,
)
from chat.providers import Image, Message, Tool, ToolCall

DOCUMENT_SHARE = 2
"""The documents of one message get at most the budget's 1/DOCUMENT_SHARE; the rest is cut."""

SUMMARY_SHARE = 8
"""The summary of what was left out gets at most the budget's 1/SUMMARY_SHARE."""

DOCUMENT_CUT = "\n[... the rest of this document does not fit]"
SUMMARY_HEAD = "(What was said before, in short:)"

SUMMARY_INSTRUCTIONS = (
    "Sum up the conversation below in a few sentences, for somebody who has to go on with it: "
    "what the user wants and told about themselves, what was decided, what is still open. "
    "Write nothing else."
)


@dataclass(frozen=True, slots=True)
class Document:
    """The text of a file that was attached."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a conversation, as far as a prompt needs it.

    `cut`: it was interrupted; `text` is what was heard or read of it until then.
    """

    role: Literal["user", "assistant", "system", "tool"]
    text: str
    cut: bool = False
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    documents: tuple[Document, ...] = ()
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """What the first `covers` messages of a conversation came to; for the caller to keep."""

    text: str
    covers: int


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prompt, and how many of the history's first messages are not in it."""

    messages: list[Message]
    left_out: int


Summarise = Callable[[str, Sequence[Said]], Awaitable[str]]
"""The summary so far (or empty) and what follows it, to a new summary. Raises `ChatError`."""


def prompt_budget(context_tokens: int, max_tokens: int) -> int:
    """The tokens a prompt may have, so that the reply has room: at most half of the context."""
    return context_tokens - min(max_tokens, context_tokens // 2)


def result_chars(context_tokens: int, limit: int) -> int:
    """The longest output of a tool that a model can be given: a quarter of its context."""
    return min(limit, context_tokens // 4 * CHARS_PER_TOKEN)


def fit(
    instructions: str,
    history: Sequence[Said],
    budget: int,
    *,
    sees_images: bool,
    tools: Sequence[Tool] = (),
    summary: str = "",
) -> Fitted:
    """`instructions`, then as much of the newest history as fits `budget` tokens.

    Whole turns are left out, oldest first; the newest is always kept. `summary` stands before what
    is kept where something is left out. Long documents are cut, images are for models that see;
    empty messages, calls without output and outputs without call are left out.
    """
    system = [Message("system", instructions)] if instructions else []
    fixed = sum(map(message_tokens, system)) + sum(map(tool_tokens, tools))
    room = budget - fixed
    turns = _turns(history)
    whole = [_messages(turn, budget, sees_images) for turn in turns]
    costs = [sum(map(message_tokens, turn)) for turn in whole]
    first = first_kept(costs, room)
    if first and summary:
        first = first_kept(costs, room - estimate_tokens(summary) - MESSAGE_TOKENS)
    messages: list[Message] = []
    if first and summary:
        messages.append(Message("user", f"{SUMMARY_HEAD}\n{summary}"))
    for turn in whole[first:]:
        for message in turn:
            add_message(messages, message)
    return Fitted(system + messages, sum(map(len, turns[:first])))


async def fit_summarised(
    instructions: str,
    history: Sequence[Said],
    budget: int,
    *,
    sees_images: bool,
    tools: Sequence[Tool] = (),
    summary: Summary | None = None,
    summarise: Summarise | None = None,
) -> tuple[Fitted, Summary | None]:
    """As `fit`, with a summary of what is left out; it is made anew when `summary` lacks some.

    Gives the summary to keep, for the same branch. Without `summarise`, or where it fails, the old
    one does.
    """

    def fitted(text: str) -> Fitted:
        return fit(
            instructions, history, budget, sees_images=sees_images, tools=tools, summary=text
        )

    space = budget // SUMMARY_SHARE
    before = fitted("")
    if not before.left_out:
        return before, summary
    # As long as a summary may get, so that what is left out does not depend on how long it is.
    left_out = fitted("x" * (space * CHARS_PER_TOKEN)).left_out
    if summarise is not None and (summary is None or summary.covers < left_out):
        known = summary or Summary("", 0)
        try:
            text = await summarise(known.text, history[known.covers : left_out])
            summary = Summary(clip(text, space), left_out)
        except ChatError:
            pass
    return fitted(clip(summary.text, space) if summary else ""), summary


def summary_request(before: str, said: Sequence[Said], budget: int) -> list[Message]:
    """The prompt that asks for a summary; each message is cut to its share of `budget` tokens."""
    told = [one for one in said if one.text and one.role in {"user", "assistant"}]
    head = f"{SUMMARY_HEAD}\n{before}\n\n" if before else ""
    room = budget - estimate_tokens(SUMMARY_INSTRUCTIONS + head) - 2 * MESSAGE_TOKENS
    share = max(8, room // max(1, len(told)) - MESSAGE_TOKENS)
    lines = "\n".join(f"{one.role}: {clip(one.text, share)}" for one in told)
    return [Message("system", SUMMARY_INSTRUCTIONS), Message("user", head + lines)]


def clip(text: str, tokens: int) -> str:
    """The beginning of `text` that has at most `tokens` estimated tokens."""
    if estimate_tokens(text) <= tokens:
        return text
    return text.encode("utf-8", "replace")[: max(0, tokens) * CHARS_PER_TOKEN].decode(
        "utf-8", "ignore"
    )


def _turns(history: Sequence[Said]) -> list[list[Said]]:
    turns: list[list[Said]] = []
    for said in history:
        if said.role == "user" or not turns:
            turns.append([])
        turns[-1].append(said)
    return turns


def _messages(turn: Sequence[Said], budget: int, sees_images: bool) -> list[Message]:
    outputs = {said.tool_call_id: said.text for said in turn if said.role == "tool"}
    messages: list[Message] = []
    for said in turn:
        if said.role == "tool":
            continue
        calls = tuple(call for call in said.tool_calls if call.id in outputs)
        message = Message(
            said.role,
            _text(said, budget // DOCUMENT_SHARE, sees_images),
            calls,
            images=said.images if sees_images else (),
        )
        if message.text or message.tool_calls or message.images:
            messages.append(message)
        # Providers refuse a call whose output does not follow at once.
        messages += [Message("tool", outputs.pop(call.id), tool_call_id=call.id) for call in calls]
    return messages


def _text(said: Said, document_tokens: int, sees_images: bool) -> str:
    unseen = [] if sees_images else [UNSEEN] * len(said.images)
    text = f"{said.text}{CUT_MARK}" if said.cut and said.text else said.text
    return "\n".join(filter(None, [*_documents(said.documents, document_tokens), *unseen, text]))


def _documents(documents: Sequence[Document], tokens: int) -> list[str]:
    shown: list[str] = []
    for number, document in enumerate(documents):
        # What one leaves of its share is for those after it.
        share = tokens // (len(documents) - number)
        text = clip(document.text, share)
        tokens -= estimate_tokens(text)
        name = document.name.replace('"', "'").replace("\n", " ")
        # A document must not be able to say where it ends.
        inside = text.replace("</document", "< /document")
        cut = DOCUMENT_CUT if text != document.text else ""
        shown.append(f'<document name="{name}">\n{inside}{cut}\n</document>')
    return shown
