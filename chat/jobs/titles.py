"""A conversation's title, made from its first exchange.

A model is asked; what it says is cleaned, and taken only if it speaks of what was spoken of, in the
same language. Small models invent titles, translate them, or answer the question instead; then
the title is the question's own first words. Pure, but for the job at the end.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Awaitable, Callable, Sequence

from chat.errors import ChatError
from chat.jobs import Result, Run
from chat.providers import Message
from chat.rendering import plain
from chat.storage import Storage, conversations, messages
from chat.storage.records import Conversation, Job

MAX_TITLE = 60
ASKED_CHARS = 600

Ask = Callable[[Sequence[Message]], Awaitable[str]]
"""A model's whole answer. Raises `ChatError`."""

Changed = Callable[[str, Conversation], Awaitable[None]]
"""Told of an owner's conversation that has a new title."""

# Of five wordings tried on the built-in model, those with the answer or with examples in the prompt
# gave fewer titles that could be used. "In its own language" is for larger ones.
_REQUEST = (
    "Give a short title, in its own language, for the text below. Only the title.\n\n"
    "{question}\n\nTitle:"
)
_THOUGHTS = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|$)", re.DOTALL | re.IGNORECASE)
_PREFIX = re.compile(
    r"^(?:(?:sure|certainly|okay|ok)\b[^:\n]{0,20}[:,!.]\s*)?"
    r"(?:here(?:'s| is)[^:\n]{0,40}:|the title[^:\n]{0,30}(?: is)?:|title:|titel:|titre\s*:|"
    r"t[ií]tulo:|titolo:|заголовок:|标题[:：]|標題[:：]|タイトル[:：])\s*",
    re.IGNORECASE,
)
_QUOTES = "\"'`*_“”„‟«»‹›‘’「」『』《》〈〉[]()#"
_ENDS = ".,;:!-–—…。、，；："
_WORD = re.compile(r"[^\W_]+")
_SMALL = frozenset(
    """a an the of and or in on at to for from with by is are was be it its this that your you my
    how what why when where who which do does can about as""".split()
)
"""Words of English that say nothing of the topic, but tell that a title is English."""


def title_request(question: str) -> list[Message]:
    """What a model is asked."""
    return [Message("user", _REQUEST.format(question=plain(question)[:ASKED_CHARS].strip()))]


def choose_title(answer: str, question: str, reply: str, *, strict: bool) -> str:
    """The title to use: the model's `answer` if it can be used, else the question's first words.

    `strict`: every word of it must have been spoken (for a model that invents). Otherwise half
    of them. Empty if there is nothing to make a title from.
    """
    said = plain(question)[:4000] + "\n" + plain(reply)[:4000]
    for candidate in _candidates(_clean(answer)):
        if _is_usable(candidate, said, strict=strict):
            return _begin_large(candidate)
    return first_words(question) or first_words(reply)


def first_words(text: str) -> str:
    """The beginning of a text as a title: its first line, cut between words."""
    lines = (" ".join(_visible(line).split()) for line in plain(text[:4000]).splitlines())
    line = next((line for line in lines if _WORD.search(line)), "")
    sentence = re.match(r".{4,}?[。！？]|.{8,}?[.!?](?=\s|$)", line)
    line = (sentence[0] if sentence else line).rstrip(".。,;: ")
    return _begin_large(_shorten(line))


def _clean(answer: str) -> str:
    """The model's answer without what it says around the title."""
    text = _THOUGHTS.sub("", answer[:4000]).strip()
    lines = (" ".join(_visible(line).split()) for line in plain(text).splitlines())
    line = next((line for line in lines if _WORD.search(line)), "")
    line = _PREFIX.sub("", line.lstrip(_QUOTES + " "))
    return line.strip(_QUOTES + " ").rstrip(_ENDS).strip(_QUOTES + " ")


def _candidates(line: str) -> list[str]:
    """What stands before a colon (after it comes "A Guide" and the like), or if that is one word,
    the whole and what stands after it.
    """
    head, colon, tail = line.partition(":")
    head, tail = head.strip(), tail.strip(_QUOTES + " ")
    if not colon or not tail:
        return [line]
    return [head] if len(head.split()) > 1 or _is_unspaced(head) else [line, tail]


def _is_usable(title: str, said: str, *, strict: bool) -> bool:
    if not 2 <= len(title) <= MAX_TITLE:
        return False
    if _is_unspaced(title):
        there = [c for c in title if c.isalnum()]
        share = sum(c in said for c in there) / max(1, len(there))
        return share >= (0.9 if strict else 0.5)
    words = [word.casefold() for word in _WORD.findall(title)]
    spoken = {word.casefold() for word in _WORD.findall(said)}
    small = [word for word in words if word in _SMALL]
    if small and not spoken & _SMALL:
        return False  # English, of a conversation that is not
    if any(words.count(word) > 2 for word in words if word not in _SMALL):
        return False
    # The s of "dog's" says nothing either.
    topic = [word for word in words if word not in _SMALL and len(word) > 1]
    known = sum(any(_is_alike(word, other) for other in spoken) for word in topic)
    return bool(topic) and known >= len(topic) * (1.0 if strict else 0.5)


def _is_alike(one: str, other: str) -> bool:
    """Whether two words are forms of one: they begin alike (bake, baking)."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    same = next((at for at, letter in enumerate(short) if letter != long[at]), len(short))
    return same >= 3 and same >= 0.6 * len(short) and len(long) - same <= 4


def _is_unspaced(text: str) -> bool:
    """Whether it is in a script that puts no spaces between words."""
    letters = [c for c in text if c.isalpha()]
    wide = sum(
        unicodedata.east_asian_width(c) in "WF" or "\u0e00" <= c <= "\u0fff" for c in letters
    )
    return wide * 2 > len(letters) > 0


def _shorten(line: str) -> str:
    if len(line) <= MAX_TITLE:
        return line
    cut = line[: MAX_TITLE - 1]
    words = cut.rsplit(" ", 1)[0]
    return (words if len(words) > MAX_TITLE // 2 else cut).rstrip(_ENDS + " ") + "…"


def _visible(text: str) -> str:
    return "".join(" " if c.isspace() else c for c in text if unicodedata.category(c)[0] != "C")


def _begin_large(title: str) -> str:
    first, rest = title[:1], title[1:]
    # Not pH or iPhone.
    return title if rest[:1].isupper() else first.upper() + rest


def make_titles(storage: Storage, ask: Ask, *, strict: bool, changed: Changed | None = None) -> Run:
    """The job `title`, payload `{"conversation_id"}`: a title for a conversation that has none.

    A title that was given is never replaced. If the model cannot be asked the first words do.
    """

    async def run(job: Job) -> Result:
        id_ = str(job.payload["conversation_id"])
        try:
            conversation = await conversations.get(storage, job.owner, id_)
            if conversation.title_source != "temporary":
                return None
            tree = await messages.everything(storage, job.owner, id_)
        except ChatError as error:
            if error.code == "not_found":
                return None  # deleted meanwhile
            raise
        question = next((one.text for one in tree if one.role == "user" and one.text.strip()), "")
        reply = next((one.text for one in tree if one.role == "assistant" and one.text), "")
        answer = ""
        if question:
            try:
                answer = await ask(title_request(question))
            except ChatError:
                answer = ""
        title = choose_title(answer, question, reply, strict=strict)
        if not title:
            return None
        try:
            now = await conversations.update(
                storage, job.owner, id_, title=title, title_source="made"
            )
        except ChatError as error:
            if error.code == "not_found":
                return None
            raise
        if changed is not None:
            await changed(job.owner, now)
        return {"title": now.title}

    return run
