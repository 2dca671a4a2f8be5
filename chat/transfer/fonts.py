"""Fonts for PDF: which are installed, and which characters they have. Blocking, cached.

Packages with fonts under the SIL Open Font License are looked for first, then what Linux
distributions install. Missing ones cost characters, never the document: see `name_of`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_SYSTEM = Path("/usr/share/fonts")


@dataclass(frozen=True, slots=True)
class Font:
    """A font file. `axes` fixes a variable font whose default is not the regular weight."""

    name: str
    path: Path
    axes: tuple[tuple[str, float], ...] = ()
    number: int = 0


_CANDIDATES: tuple[tuple[str, str, str, tuple[tuple[str, float], ...]], ...] = (
    # Latin, Greek, Cyrillic, Vietnamese, Devanagari.
    ("sans", "fontpkg_noto_sans", "files/NotoSans[wdth,wght].ttf", ()),
    ("sans", "", "truetype/noto/NotoSans-Regular.ttf", ()),
    ("arabic", "justmytype_intl_rtl", "fonts/ofl/notosansarabic/NotoSansArabic[wdth,wght].ttf", ()),
    ("arabic", "", "truetype/noto/NotoSansArabic-Regular.ttf", ()),
    # Its default is the thinnest weight.
    (
        "hebrew",
        "justmytype_intl_rtl",
        "fonts/ofl/notosanshebrew/NotoSansHebrew[wdth,wght].ttf",
        (("wght", 400.0), ("wdth", 100.0)),
    ),
    ("hebrew", "", "truetype/noto/NotoSansHebrew-Regular.ttf", ()),
    ("cjk", "cvttf_NotoSansCJK_Regular", "NotoSansCJKtc-Regular.otf", ()),
    ("cjk", "", "opentype/noto/NotoSansCJK-Regular.ttc", ()),
    ("cjk", "", "truetype/droid/DroidSansFallbackFull.ttf", ()),
    # Many scripts and symbols, some of them roughly.
    ("more", "", "truetype/dejavu/DejaVuSans.ttf", ()),
)


@cache
def installed() -> tuple[Font, ...]:
    """The fonts there are, in the order in which they are asked for a character."""
    found: dict[str, Font] = {}
    for name, package, file, axes in _CANDIDATES:
        folder = _folder(package) if package else _SYSTEM
        if name not in found and folder is not None and (folder / file).is_file():
            found[name] = Font(name, folder / file, axes)
    return tuple(found.values())


def _folder(package: str) -> Path | None:
    # Looked for without being imported.
    spec = find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


@cache
def characters(font: Font) -> frozenset[int]:
    """The code points the font has a glyph for."""
    from fontTools.ttLib import TTFont  # noqa: PLC0415  slow to import

    with TTFont(font.path, lazy=True, fontNumber=font.number) as file:
        return frozenset(file.getBestCmap() or ())


def choose(wanted: Iterable[int]) -> tuple[list[Font], frozenset[int]]:
    """The fonts that are needed for these code points, and those that no font has."""
    left = {code for code in wanted if not _is_mark_of_layout(code)}
    chosen: list[Font] = []
    for font in installed():
        has = left & characters(font)
        if has or not chosen:
            chosen.append(font)
        left -= has
        if not left:
            break
    return chosen, frozenset(left)


def _is_mark_of_layout(code: int) -> bool:
    return code < 0x20 or unicodedata.category(chr(code)) in {"Cf", "Zl", "Zp"}


def name_of(code: int) -> str:
    """What stands for a character that cannot be printed: its Unicode name in brackets."""
    name = unicodedata.name(chr(code), "").lower()
    return f"[{name}]" if name else f"[U+{code:04X}]"


def can_shape() -> bool:
    """Whether letters can be joined and ordered as Arabic, Hebrew and Indic scripts need it."""
    return find_spec("uharfbuzz") is not None
