"""What has been understood of a turn that still goes on. Pure.

Whisper is asked again and again about growing audio. Words count as stable once two successive
hypotheses agree on them (local agreement; Liu, Spanakis and Niehues, "Low-Latency
Sequence-to-Sequence Speech Recognition and Translation by Partial Hypothesis Selection", 2020)
and are then given to the recogniser as a prefix, so that it decodes only the rest. In a long turn,
what was said before a pause is settled for good and never heard again, or, if there is no pause,
what was said before its quietest place, so that the cost of a second of speech does not grow with
the length of the turn.
"""

from __future__ import annotations

import re

UNSPACED = frozenset({"ja", "lo", "my", "th", "yue", "zh"})
"""Languages written without spaces between words: their characters count as words."""


class Hearing:
    """One turn's transcript in the making; its unsettled audio begins at sample `start`."""

    def __init__(self, start: int) -> None:
        self.begin = start
        """Where the turn begins."""
        self.start = start
        self.agreed = ""
        """Stable words of the unsettled audio: the prefix for the next decode."""
        self.told = ""
        """What the client has been told already."""
        self._settled = ""
        self._last: list[str] = []
        self._language = "en"

    def overhear(self, text: str, language: str) -> None:
        """Take a hypothesis about the unsettled audio so far; it begins with `agreed`."""
        self._language = language or self._language
        words = self._split(text)
        # The last word may still be cut off in the middle.
        common = _agreeing(self._last, words[:-1])
        self._last = words
        stable = "".join(words[:common])
        if len(stable) > len(self.agreed) and stable.startswith(self.agreed):
            self.agreed = stable

    def settle(self, end: int, text: str, language: str) -> None:
        """Everything before sample `end` is understood for good as `text`."""
        self._language = language or self._language
        self._settled = self.whole(text)
        self.start, self.agreed, self._last = end, "", []
        self._keep_telling()

    def divide(self, cut: int, text: str, language: str) -> None:
        """What was said before sample `cut` is understood for good.

        `text` is what was heard there alone, without the sound that follows. It says which of the
        agreed words come before the cut; these are settled, the others stay agreed.
        """
        self._language = language or self._language
        agreed, heard = self._split(self.agreed), self._split(text)
        first, common = _overlap(agreed, heard)
        self._settled = self.whole("".join(agreed[:first] + heard[common:]))
        self.start = cut
        self.agreed = "".join(agreed[first:]).lstrip()
        self._last = self._last[first if self.agreed else _overlap(self._last, heard)[0] :]
        self._keep_telling()

    def whole(self, text: str) -> str:
        """The turn's transcript, if `text` is that of its unsettled audio."""
        space = "" if self._language in UNSPACED else " "
        return space.join(filter(None, (self._settled, text.strip())))

    def news(self, whole: str | None = None) -> str:
        """What to add to what the client has been told, up to the stable words, or to the end of
        the turn's `whole` transcript.
        """
        known = self.whole(self.agreed) if whole is None else whole
        if not known.startswith(self.told):
            return ""
        fresh = known[len(self.told) :]
        self.told = known
        return fresh

    def _keep_telling(self) -> None:
        """What was told and is understood otherwise now cannot be taken back: go on after it."""
        known = self.whole(self.agreed)
        if not known.startswith(self.told):
            self.told = known

    def _split(self, text: str) -> list[str]:
        """Words with the white space before them, so that joined they are the text."""
        pattern = r"\s*\S[^\w\s]*" if self._language in UNSPACED else r"\s*\S+"
        return re.findall(pattern, text.strip())


def _agreeing(one: list[str], other: list[str]) -> int:
    """How many words at the beginning are the same, case and punctuation aside."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if _bare(a) != _bare(b):
            break
        count += 1
    return count


def _overlap(agreed: list[str], heard: list[str]) -> tuple[int, int]:
    """How many words at the beginning of both mean the same, all of at least one of them: where
    the edit distance up to there is least, and of such places the last.
    """
    row = list(range(len(heard) + 1))
    ends = [(row[-1], 0, len(heard))]
    for first, word in enumerate(agreed, 1):
        above, row = row, [first]
        for common, other in enumerate(heard, 1):
            differs = _bare(word) != _bare(other)
            row.append(min(above[common] + 1, row[-1] + 1, above[common - 1] + differs))
        ends.append((row[-1], first, len(heard)))
    ends += [(cost, len(agreed), common) for common, cost in enumerate(row)]
    _, first, common = min(ends, key=lambda end: (end[0], -end[1] - end[2]))
    return first, common


def _bare(word: str) -> str:
    return re.sub(r"[^\w]", "", word).casefold()
