"""JSON in the middle of a text: where it ends. Pure."""

from __future__ import annotations

import re

OPENING = r"(?:\{\s*[\"}]|\[\s*\{)"
"""An object, or a list of objects; braces and brackets people write otherwise are none."""

_OPENS = re.compile(OPENING)
_MAY_OPEN = re.compile(r"[{\[]\s*$")
_SIGNS = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]"]', re.DOTALL)
_LONGEST = 20_000
"""Characters after which it is taken for text all the same."""


def data_end(text: str, at: int) -> int | None:
    """Just after the JSON that begins at `at`; -1 if none does, None if only more text can tell."""
    if not _OPENS.match(text, at):
        return None if _MAY_OPEN.match(text, at) else -1
    depth = 0
    for sign in _SIGNS.finditer(text, at, at + _LONGEST):
        if sign[0] in "{[":
            depth += 1
        elif sign[0] in "}]":
            depth -= 1
            if depth == 0:
                return sign.end()
        elif sign[0] == '"':
            break  # a string that does not end (yet)
    return -1 if len(text) - at > _LONGEST else None
