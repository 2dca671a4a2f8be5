"""How large an attachment may be, and how long reading it may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken.

    `max_bytes`: of a file as it comes. `max_pixels`: of an image before it is decoded.
    `max_side`: larger images are made smaller (models do so anyway). `max_pages`,
    `max_text_chars`: what is read of a document. `seconds`, `memory_bytes`: what reading one
    image or PDF may take; `at_once`: how many are read at the same time.
    """

    max_bytes: int = 20 * 2**20
    max_pixels: int = 50_000_000
    max_side: int = 2048
    max_pages: int = 300
    max_text_chars: int = 400_000
    seconds: float = 20.0
    memory_bytes: int = 2**30
    at_once: int = 2
