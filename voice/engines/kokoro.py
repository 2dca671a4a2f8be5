"""Kokoro-82M on ONNX Runtime: 54 voices, nine languages, and when every word sounds.

The durations that the model computes are exact word times. Its generator is run on one piece after
another, so that the first is heard while the next is made (`kokoro_graph`, `kokoro_norms`).
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from math import sqrt
from pathlib import Path

import numpy as np

from voice.audio import SPOKEN_RATE, Pcm
from voice.engines import EngineOptions, Speech, Voice, Word, joined
from voice.engines.kokoro_blend import all_known, blend, names
from voice.engines.kokoro_cut import (
    AUDIBLE,
    EARLY,
    LEAD,
    SAMPLES_PER_PICTURE,
    Sign,
    blended,
    passes,
    pause_after,
    pieces_of,
    signs_of,
    spans,
    trimmed,
    trimmed_pieces,
)
from voice.engines.kokoro_net import SAMPLES_PER_FRAME, Network, Style, load_network
from voice.engines.kokoro_norms import SENTENCES, Norms, fit, known, predict
from voice.engines.kokoro_stretch import stretched
from voice.engines.phonemes import phonemize, warm
from voice.errors import ConfigError, EngineFailed, VoiceError
from voice.lane import Lane

log = logging.getLogger(__name__)

SOUND_AHEAD = 1440
"""Samples by which the sound comes before the place its durations give it.

Measured: sliding the vowels' places against the audio's energy, the best fit is 55 to 70 ms early
for five voices at speed 1, 45 ms at 1.5, 75 ms at 0.7: about 60 ms over the root of the speed.
Kokoro's own pipeline takes off 75 ms.
"""

SPEEDS = (0.25, 4.0)
"""Slowest and fastest speed that may be asked for."""

OWN_SPEEDS = (0.5, 1.3)
"""Speeds the model itself is asked for; the rest is done by stretching.

Heard by Whisper base, three sentences in two voices at speed 2 have a word error rate of 22 % when
the model makes the whole speed (first words are swallowed), 1.6 % with 1.3, 0 % with 1.0.
"""

URGENT, LATER, IDLE = range(3)
"""Priorities: the first words of a reply, what comes after them, and getting to know a voice."""

_LANGUAGES = {
    "a": "en-US",
    "b": "en-GB",
    "e": "es",
    "f": "fr-FR",
    "h": "hi",
    "i": "it",
    "j": "ja",
    "p": "pt-BR",
    "z": "zh",
}
_GENDERS = {"f": "female", "m": "male"}


class KokoroTts:
    """See `voice.engines.Tts`."""

    def __init__(self, network: Network, styles: dict[str, Style], norms: Path, model: str) -> None:
        """`norms` is a folder where what is learnt of the voices is kept, if it can be; `model`
        the model's checksum.
        """
        self.device = network.device
        self.voices = {name: _voice(name) for name in styles}
        self._network = network
        self._styles = styles
        self.model = model
        self._folder = norms / model
        self._norms = {voice: norms for voice, norms in known(model).items() if voice in styles}
        """Coefficients of the voices that are known."""
        for voice in styles:
            self._recall(voice)
        self._learning: set[str] = set()
        self._lane = Lane("tts")

    async def warm(self, voice: str) -> None:
        """Get to know `voice`, unless that was done before: until then it speaks all at once.

        Takes some ten seconds the first time, and gives way to what is to be said meanwhile.
        Raises as `stream` does.
        """
        self._check(voice, 1.0)
        if self.device != "cpu" or voice in self._norms or voice not in self.voices:
            return  # of blends there is no end: they always speak at once
        if voice not in self._learning:
            log.info("getting to know the voice %s (once)", voice)
            self._learning.add(voice)
            try:
                await self._learn(voice)
            finally:
                self._learning.discard(voice)

    def norms(self, voice: str) -> Norms:
        """What is known of `voice`; raises `KeyError` if that is nothing yet."""
        return self._norms[voice]

    async def stream(
        self, text: str, *, voice: str, speed: float = 1.0, urgent: bool = True
    ) -> AsyncIterator[Speech]:
        """Speak `text` as one clause, piece by piece; see `voice.engines.Tts`.

        Raises `VoiceError` with code `unknown_voice` or `bad_speed` (not in 0.25 to 4),
        `Overloaded`, `EngineFailed`. What is not asked for any more is not made.
        """
        self._check(voice, speed)
        pieces = self.speak(text, voice, speed)
        priority = URGENT if urgent else LATER
        while piece := await self._lane.run(lambda: next(pieces, None), priority=priority):
            yield piece

    async def synthesize(self, text: str, *, voice: str, speed: float = 1.0) -> Speech:
        """All that `stream` gives, in one."""
        return joined([piece async for piece in self.stream(text, voice=voice, speed=speed)])

    def speak(self, text: str, voice: str, speed: float) -> Iterator[Speech]:
        """`stream` on the calling thread, its arguments known to be good (blocking)."""
        try:
            spoken = phonemize(text, self.voices[names(voice)[0]].language)
        except ImportError as error:
            raise EngineFailed(f"the language of {voice} cannot be spoken here: {error}") from error
        yield from self.render(text.split(), spoken, voice, speed)

    def render(
        self, texts: Sequence[str], spoken: Sequence[str], voice: str, speed: float
    ) -> Iterator[Speech]:
        """Speak the words `texts`, whose phonemes and punctuation are `spoken` (blocking)."""
        own = min(max(speed, OWN_SPEEDS[0]), OWN_SPEEDS[1])
        runs = passes(signs_of(spoken))
        if not runs:
            yield Speech(np.zeros(0, dtype=np.float32), *_words(texts, {}))
            return
        style, known = blend(voice, self._styles), self._norms.get(voice)
        if len(runs) == 1 and own == speed and known is not None and self.device == "cpu":
            yield from self._flow(texts, runs[0], style, speed, known)
        else:
            yield self._at_once(texts, runs, style, speed, own)

    def _flow(
        self, texts: Sequence[str], run: Sequence[Sign], style: Style, speed: float, known: Norms
    ) -> Iterator[Speech]:
        """One run, piece by piece, with norms told beforehand."""
        network = self._network
        prosody = network.plan(run, style, speed)
        norms = predict(known, prosody.frames * speed, network.variances)
        first = prosody.edges[0] // SAMPLES_PER_PICTURE
        for early in (EARLY, 2 * EARLY):
            parts = pieces_of(first, prosody.frames, early)
            opening = network.piece(prosody, *parts[0], norms)
            if parts[0][0] == 0 or np.abs(opening[0][:LEAD]).max() < AUDIBLE:
                break  # it begins before the sound does
        skipped = parts[0][0] * SAMPLES_PER_PICTURE
        following = (network.piece(prosody, begin, end, norms) for begin, end in parts[1:])
        sound = blended(chain([opening], following))

        words: tuple[Word, ...] = ()
        exact = True
        for piece, cut in trimmed_pieces(sound, pause_after(run) / speed):
            if not words:
                placed = _placed(run, prosody.edges, skipped + cut, speed)
                words, exact = _words(texts, placed)
                yield Speech(piece, words, exact)
            else:
                yield Speech(piece, (), exact)
        if not words:
            yield Speech(np.zeros(0, dtype=np.float32), *_words(texts, {}))

    def _at_once(
        self,
        texts: Sequence[str],
        runs: Sequence[Sequence[Sign]],
        style: Style,
        speed: float,
        own: float,
    ) -> Speech:
        """Any runs at any speed, the model itself at `own`, the rest by stretching."""
        pieces: list[Pcm] = []
        times: dict[int, tuple[int, int]] = {}
        offset = 0
        rest = speed / own
        for run in runs:
            prosody = self._network.plan(run, style, own)
            audio, _ = self._network.whole(prosody)
            edges = prosody.edges
            if rest != 1.0:
                audio = stretched(audio, rest)
                edges = [round(edge / rest) for edge in edges]
            piece, cut = trimmed(audio, pause_after(run) / speed)
            for word, (start, end) in _placed(run, edges, cut, own, rest).items():
                at, until = (min(time, len(piece)) + offset for time in (start, end))
                times[word] = (times.get(word, (at, 0))[0], until)
            pieces.append(piece)
            offset += len(piece)
        return Speech(np.concatenate(pieces), *_words(texts, times))

    def _check(self, voice: str, speed: float) -> None:
        if not all_known(voice, self.voices):
            raise VoiceError(f"there is no voice {voice!r}", code="unknown_voice", param="voice")
        slowest, fastest = SPEEDS
        if not slowest <= speed <= fastest:
            message = f"the speed must be between {slowest} and {fastest}"
            raise VoiceError(message, code="bad_speed", param="speed")

    # --- getting to know a voice

    async def _learn(self, voice: str) -> None:
        """Let `voice` say the sentences that tell its norms; others may speak in between."""
        frames: list[int] = []
        seen: list[Norms] = []
        for sentence in SENTENCES:
            (run,) = passes(signs_of(phonemize(sentence, "en-US")))

            def listen(run: Sequence[Sign] = run) -> None:
                prosody = self._network.plan(run, self._styles[voice], 1.0)
                frames.append(prosody.frames)
                seen.append(self._network.whole(prosody)[1])

            await self._lane.run(listen, priority=IDLE)
        self._norms[voice] = fit(frames, seen, self._network.variances)
        # Only a convenience: where the weights cannot be written to, it is learnt again next time.
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            np.save(self._folder / f"{voice}.npy", self._norms[voice])

    def _recall(self, voice: str) -> None:
        """Take what was learnt of `voice` before; what is damaged is learnt anew."""
        try:
            found: Norms = np.load(self._folder / f"{voice}.npy", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return
        if found.dtype == np.float32 and found.shape == (3, len(self._network.variances)):
            self._norms[voice] = found


def _placed(
    run: Sequence[Sign], edges: Sequence[int], cut: int, speed: float, stretch: float = 1.0
) -> dict[int, tuple[int, int]]:
    """First and last sample of each word of `run` in audio that lacks its first `cut` samples,
    made by the model at `speed` and then stretched.
    """
    sounding = spans(run, edges)
    # The first word must not come to lie before the audio, or it would have no length.
    first_end = min(end for _, end in sounding.values())
    ahead = round(SOUND_AHEAD / sqrt(speed) / stretch)
    shift = min(cut + ahead, first_end - SAMPLES_PER_FRAME)
    return {
        word: (max(start - shift, 0), max(end - shift, 0))
        for word, (start, end) in sounding.items()
    }


def _words(
    texts: Sequence[str], times: dict[int, tuple[int, int]]
) -> tuple[tuple[Word, ...], bool]:
    """A `Word` for each of `texts`; one without a sound lies where the one before it ended.

    The second value is False if such a word has letters or digits, so should have sounded.
    """
    words, last, exact = [], 0, True
    for index, text in enumerate(texts):
        start, end = times.get(index, (last, last))
        exact = exact and (index in times or not any(sign.isalnum() for sign in text))
        words.append(Word(text, start / SPOKEN_RATE, end / SPOKEN_RATE))
        last = end
    return tuple(words), exact


def _voice(name: str) -> Voice:
    """What a voice's id tells: `af_heart` is American, female and called Heart."""
    return Voice(
        id=name,
        language=_LANGUAGES[name[0]],
        name=name[3:].capitalize(),
        gender=_GENDERS[name[1]],
    )


def load_styles(folder: Path) -> dict[str, Style]:
    """Every voice in `folder`, by id: float32 `(510, 1, 256)`, one row a number of signs."""
    styles = {}
    for path in sorted(folder.glob("*.bin")):
        if path.stem[:1] in _LANGUAGES and path.stem[1:2] in _GENDERS and path.stem[2:3] == "_":
            style = np.fromfile(path, dtype="<f4")
            if style.size != 510 * 256:
                raise ConfigError(f"the voice file {path.name} is damaged")
            styles[path.stem] = style.reshape(510, 1, 256)
    if not styles:
        raise ConfigError("no voices of Kokoro are installed")
    return styles


def load(options: EngineOptions) -> KokoroTts:
    """Load the model, its voices and English (blocking: seconds).

    `options.model` names another ONNX file of Kokoro in the same folder. Raises `ConfigError` if
    a file is missing or damaged, `ImportError` if espeak-ng is.
    """
    folder = options.weights / "kokoro"
    path = folder / (options.model or "kokoro-v1.0.int8.onnx")
    if not path.is_file():
        raise ConfigError(f"the model file kokoro/{path.name} is not installed")
    styles = load_styles(folder / "voices")
    try:
        model = path.read_bytes()
        network = load_network(model, options.device, options.threads)
    except Exception as error:  # the libraries' errors share no base class of their own
        raise ConfigError(f"the model file kokoro/{path.name} cannot be used: {error}") from error
    warm("en-US")
    return KokoroTts(network, styles, folder / "norms", f"{zlib.crc32(model):08x}")
