"""Import an uploaded file: read, check, store; all or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from chat import attachments
from chat.attachments import Limits, files
from chat.errors import ChatError
from chat.storage import Storage
from chat.storage.records import Attachment, new_id
from chat.transfer.archives import ImportLimits, Uploaded, open_upload
from chat.transfer.drafts import Draft, DraftFile
from chat.transfer.reading import Format, read_drafts
from chat.transfer.storing import Ready, store_all

MAX_SKIPPED = 50


@dataclass(frozen=True, slots=True)
class Imported:
    """What came in. `skipped`: the files that could not be taken, and why (at most 50)."""

    format: Format
    conversation_ids: tuple[str, ...]
    messages: int
    attachments: int
    skipped: tuple[str, ...]


async def import_file(
    storage: Storage,
    owner: str,
    path: Path,
    *,
    limits: ImportLimits | None = None,
    attachment_limits: Limits | None = None,
    once: str = "",
) -> Imported:
    """Import the conversations of an uploaded file (JSON or ZIP) as new ones of `owner`.

    Their ids are new; importing twice gives them twice, unless both times the same name is given
    as `once`: then nothing happens the second time. Raises `ChatError`: `import_too_large`,
    `import_malformed` with the place, `import_unknown`, `import_version`, and those of the storage.
    Nothing is stored then.
    """
    limits = limits or ImportLimits()
    loop = asyncio.get_running_loop()
    intake = _Intake(storage.files.parent, attachment_limits or Limits(), loop)
    try:
        # The archive stays open while drafts are read from it, on threads.
        opening = open_upload(path, limits)
        uploaded = await asyncio.to_thread(opening.__enter__)
        try:
            kind, drafts = await asyncio.to_thread(read_drafts, uploaded, limits)
            stored = await store_all(storage, owner, intake.ready(uploaded, drafts), once=once)
        finally:
            await asyncio.to_thread(opening.__exit__, None, None, None)
    except BaseException:
        await asyncio.to_thread(intake.undo)
        raise
    return Imported(
        kind, stored.conversation_ids, stored.messages, len(intake.saved), tuple(intake.skipped)
    )


class _Intake:
    """Takes in the files of the drafts, and can undo it. Used on a thread while the loop runs."""

    def __init__(self, data_dir: Path, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self._data_dir = data_dir
        self._limits = limits
        self._loop = loop
        self.saved: list[str] = []
        self.skipped: list[str] = []

    def ready(self, uploaded: Uploaded, drafts: Iterator[Draft]) -> Iterator[Ready]:
        """The drafts with their files saved; a file that is not taken is named in the text."""
        for draft in drafts:
            taken: dict[int, list[Attachment]] = {}
            items = list(draft.messages)
            for place, item in enumerate(items):
                notes = []
                for file in item.files:
                    found = self._take(uploaded, file)
                    if found is None:
                        notes.append(f"[attachment: {attachments.clean_name(file.name)}]")
                    else:
                        taken.setdefault(place, []).append(found)
                if notes:
                    text = "\n\n".join(filter(None, [item.message.text, *notes]))
                    items[place] = replace(item, message=replace(item.message, text=text))
            yield Ready(replace(draft, messages=tuple(items)), taken)

    def _take(self, uploaded: Uploaded, file: DraftFile) -> Attachment | None:
        try:
            if file.file is None:
                raise ChatError("not_found", "it is not in the file")
            data = uploaded.read(file.file, self._limits.max_bytes)
            accepting = attachments.accept(data, file.name, self._limits)
            accepted = asyncio.run_coroutine_threadsafe(accepting, self._loop).result()
            stored = files.save(self._data_dir, accepted)
        except ChatError as error:
            if len(self.skipped) < MAX_SKIPPED:
                self.skipped.append(f"{attachments.clean_name(file.name)}: {error.message}")
            return None
        self.saved.append(stored)
        size = len(accepted.data)
        return Attachment(new_id("att"), accepted.name, accepted.media_type, size, stored)

    def undo(self) -> None:
        """Remove the files that were saved."""
        for stored in self.saved:
            files.remove(self._data_dir, stored)
