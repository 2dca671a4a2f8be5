"""From an uploaded file to drafts: which format it is, and every conversation in it. Blocking."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from chat.errors import ChatError
from chat.storage.limits import MAX_DRAFT, MAX_TAG, MAX_TAGS, MAX_TEXT, MAX_TITLE
from chat.transfer import open_webui, openai, own
from chat.transfer.archives import ImportLimits, Uploaded
from chat.transfer.drafts import Draft, malformed
from chat.transfer.schema import FORMAT, VERSION

Format = Literal["vivavoce", "openai", "open_webui"]

_PARSERS: dict[Format, Callable[[Raw, str], Draft]] = {
    "vivavoce": own.to_draft,
    "openai": openai.to_draft,
    "open_webui": open_webui.to_draft,
}


class _Envelope(Struct):
    format: str
    version: int
    conversations: list[Raw]


_ABSENT = Raw(b"null")


class _Shape(Struct):
    """Tells the formats apart without reading more than the names."""

    mapping: Raw = _ABSENT
    chat: Raw = _ABSENT


def read_drafts(uploaded: Uploaded, limits: ImportLimits) -> tuple[Format, Iterator[Draft]]:
    """The format of the upload, and its conversations one after the other.

    Raises `ChatError` (also while iterating): `import_unknown` (none of the formats),
    `import_version` (ours, but newer), `import_malformed` with the place, `import_too_large`.
    """
    found: Format | None = None
    raws: list[tuple[str, Raw]] = []
    for name, data in uploaded.documents:
        kind, conversations = _split(data, name)
        if found is not None and kind != found:
            raise ChatError("import_unknown", "the archive mixes formats")
        found = kind
        key = ".conversations" if kind == "vivavoce" else ""
        raws += [(f"{name or '$'}{key}[{n}]", raw) for n, raw in enumerate(conversations)]
    if found is None:
        raise ChatError("import_unknown", "there is nothing in the file")
    if len(raws) > limits.max_conversations:
        raise ChatError(
            "import_too_large",
            f"it has {len(raws):,} conversations; {limits.max_conversations:,} are taken",
        )
    return found, _each(found, raws, limits)


def _each(kind: Format, raws: list[tuple[str, Raw]], limits: ImportLimits) -> Iterator[Draft]:
    count = 0
    for where, raw in raws:
        draft = _PARSERS[kind](raw, where)
        count += len(draft.messages)
        if count > limits.max_messages:
            raise ChatError(
                "import_too_large", f"it has more than {limits.max_messages:,} messages"
            )
        _check(draft, where)
        yield draft


def _split(data: bytes, name: str) -> tuple[Format, list[Raw]]:
    """The format of one document, and its conversations unread."""
    where = name or "$"
    first = data[:200].lstrip()[:1]
    try:
        if first == b"[":
            conversations = msgspec.json.decode(data, type=list[Raw])
        elif first == b"{":
            raw = msgspec.json.decode(data, type=Raw)  # all of it is well-formed
            if b'"' + FORMAT.encode() + b'"' in data[:4096]:
                return "vivavoce", _open_envelope(raw)
            conversations = [raw]
        else:
            raise ChatError("import_unknown", "the file is neither JSON nor a ZIP archive")
        kinds = {_kind(raw) for raw in conversations[:3]}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise malformed(where, str(error)) from None
    if len(kinds) != 1 or None in kinds:
        raise ChatError(
            "import_unknown",
            "the file is no export of this program, of OpenAI, or of Open WebUI",
        )
    kind = kinds.pop()
    assert kind is not None  # noqa: S101  said above
    return kind, conversations


def _open_envelope(raw: Raw) -> list[Raw]:
    envelope = msgspec.json.decode(raw, type=_Envelope)
    if envelope.format != FORMAT:
        raise ChatError("import_unknown", "the file is of another format")
    if envelope.version != VERSION:
        raise ChatError(
            "import_version",
            f"the file has version {envelope.version}; this program reads version {VERSION}",
        )
    return envelope.conversations


def _kind(raw: Raw) -> Format | None:
    try:
        shape = msgspec.json.decode(raw, type=_Shape)
    except msgspec.ValidationError:
        return None
    if bytes(shape.mapping) != b"null":
        return "openai"
    return "open_webui" if bytes(shape.chat) != b"null" else None


def _check(draft: Draft, where: str) -> None:
    """Refuse what cannot be stored before anything is."""
    if len(draft.title) > MAX_TITLE or len(draft.draft) > MAX_DRAFT:
        raise malformed(where, "the title or the draft is too long")
    if len(draft.tags) > MAX_TAGS or any(len(tag) > MAX_TAG for tag in draft.tags):
        raise malformed(
            where, f"more than {MAX_TAGS} tags, or one of more than {MAX_TAG} characters"
        )
    for number, item in enumerate(draft.messages):
        message = item.message
        place = f"{where}, message {number}"
        if len(message.text) > MAX_TEXT:
            raise malformed(place, f"the text has more than {MAX_TEXT:,} characters")
        if len(message.model) > 256 or len(message.tool_call_id) > 256:
            raise malformed(place, "the model's or the tool call's name is too long")
