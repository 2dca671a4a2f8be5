"""What can go wrong with the model store, each with a code, and disk errors put into its words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EXDEV, errno.ENOTDIR, errno.EISDIR}


class ModelError(Exception):
    """A failure with a stable `code` and a `message` that says what to do about it.

    Codes: `bad_manifest`, `unknown_model`, `source_unreachable`, `hash_mismatch` (a size that
    differs counts as well), `bad_archive`, `disk_full`, `not_writable`, `disk_error`.
    The message is for whoever runs the server: it may name paths on this machine.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NoAnswer(ModelError):
    """Nobody could be connected to: asking the same registry for something else is pointless."""


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn an `OSError` raised while working on `place` into a `ModelError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            raise ModelError(
                "disk_full",
                f"No room left while writing {place} ({reason}). The unfinished file was removed. "
                "Free some space, or choose a weights folder on another disk, and run again.",
            ) from error
        if error.errno in _REFUSED:
            raise ModelError(
                "not_writable",
                f"{place} cannot be written ({reason}). Give the weights folder to the user that "
                "runs this, keep it on one file system, or choose another folder.",
            ) from error
        raise ModelError("disk_error", f"{place}: {reason}. Check the disk.") from error
