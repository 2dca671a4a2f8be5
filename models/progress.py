"""How far a fetch is: a bar on a terminal, a line every few seconds in a log, or nothing."""

from __future__ import annotations

import time
from typing import Protocol, TextIO

_MB = 1_000_000
_LINE_EVERY_S = 3.0


class Progress(Protocol):
    """What `fetch` tells while it works; all sizes in bytes."""

    def total(self, size: int) -> None:
        """So much is to be downloaded, counting what an earlier run already got."""

    def label(self, text: str) -> None:
        """What is downloaded now."""

    def advance(self, size: int) -> None:
        """So much more is there; negative when a part had to be thrown away."""

    def say(self, text: str) -> None:
        """A line the reader should see."""

    def close(self) -> None:
        """Nothing more will come."""


class Silent:
    """Tells nothing."""

    def total(self, size: int) -> None: ...
    def label(self, text: str) -> None: ...
    def advance(self, size: int) -> None: ...
    def say(self, text: str) -> None: ...
    def close(self) -> None: ...


class Lines:
    """Plain lines for a log: one for each new label, and one every few seconds."""

    def __init__(self, stream: TextIO, every_s: float = _LINE_EVERY_S) -> None:
        self._stream = stream
        self._every_s = every_s
        self._total = self._done = 0
        self._label = ""
        self._last = time.monotonic()

    def total(self, size: int) -> None:
        self._total = size

    def label(self, text: str) -> None:
        if text != self._label:
            self._label = text
            self._line()

    def advance(self, size: int) -> None:
        self._done += size
        if time.monotonic() - self._last >= self._every_s:
            self._line()

    def say(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

    def close(self) -> None: ...

    def _line(self) -> None:
        self._last = time.monotonic()
        self.say(f"{self._done / _MB:.0f} of {self._total / _MB:.0f} MB: {self._label}")


class Bar:
    """One tqdm bar for the whole fetch."""

    def __init__(self, stream: TextIO) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - only a terminal needs it

        self._bar = tqdm(
            total=0, unit="B", unit_scale=True, file=stream, dynamic_ncols=True, leave=True
        )

    def total(self, size: int) -> None:
        self._bar.total = size
        self._bar.refresh()

    def label(self, text: str) -> None:
        self._bar.set_description(text)

    def advance(self, size: int) -> None:
        self._bar.update(size)

    def say(self, text: str) -> None:
        self._bar.write(text, file=self._bar.fp)

    def close(self) -> None:
        self._bar.close()


def progress_on(stream: TextIO) -> Progress:
    """A bar when `stream` is a terminal, plain lines otherwise."""
    return Bar(stream) if stream.isatty() else Lines(stream)
