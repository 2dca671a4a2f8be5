"""The page's words, read from its own catalogues: `web/words/<language>.js`, one for each language.

They are modules of the page and stay so; what the server writes into a document comes from the same
files. A catalogue is a literal: strings in double quotes, plural forms in braces, comments.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

STANDARD = "en"
RIGHT_TO_LEFT = frozenset({"ar"})

_STRING = r'("(?:[^"\\]|\\.)*")'
_COMMENT = re.compile(_STRING + r"|//[^\n]*|/\*.*?\*/", re.DOTALL)
_BARE = re.compile(_STRING + r"|([a-z]+)(?=\s*:)|,(?=\s*\})")


def read_words(source: str) -> dict[str, Any]:
    """Key -> text, or plural forms by category, of the module `source`. Raises `ValueError`."""
    literal = source.partition("export default")[2].rstrip().removesuffix(";")
    bare = _COMMENT.sub(lambda found: found[1] or "", literal)
    words = json.loads(_BARE.sub(_quote, bare))
    if not isinstance(words, dict):
        raise ValueError("this is no catalogue of words")
    return words


def _quote(found: re.Match[str]) -> str:
    """A string as it is, a bare key in quotes, the comma after the last one not at all."""
    return found[1] or (f'"{found[2]}"' if found[2] else "")


def pick_language(wanted: str, known: Iterable[str]) -> str:
    """The first of `known` that an Accept-Language header asks for, else English. "de-AT" is "de".

    Ranges and weights are those of RFC 9110, section 12.5.4; what is malformed is passed over.
    """
    there = set(known)
    weighed: list[tuple[float, str]] = []
    for each in wanted.split(","):
        tag, _, weight = each.partition(";")
        found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", weight or "q=1")
        language = tag.strip().partition("-")[0].lower()
        if found and language in there and float(found[1]) > 0:
            weighed.append((float(found[1]), language))
    # The first of equals: `max` keeps it.
    return max(weighed, key=lambda pair: pair[0])[1] if weighed else STANDARD
