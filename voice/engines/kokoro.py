"""Kokoro-82M on ONNX Runtime: 54 voices, nine languages, and when every word sounds.

The exported graph computes how long each phoneme lasts (`/encoder/Clip_output_0`, frames of 600
samples) but neither hands it out nor lets it be bounded. Protocol Buffers messages merge when their
bytes are put behind one another, so the model is loaded with a little more graph written behind its
bytes: exact times, and no time spent on silence that is cut off anyway. The file stays as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import accumulate
from math import sqrt
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from voice.audio import SPOKEN_RATE, Pcm
from voice.engines import EngineOptions, Speech, Voice, Word
from voice.engines.kokoro_cut import Sign, passes, pause_after, signs_of, spans, trimmed
from voice.engines.kokoro_stretch import stretched
from voice.engines.phonemes import phonemize, warm
from voice.engines.phonemes.vocabulary import MARKS, VOCABULARY
from voice.errors import ConfigError, EngineFailed, VoiceError
from voice.lane import Lane

log = logging.getLogger(__name__)

SAMPLES_PER_FRAME = 600
"""Audio samples for one unit of the model's durations: hop 5 x upsampling 60 x 2 (config.json)."""

SOUND_AHEAD = 1440
"""Samples by which the sound comes before the place its durations give it.

Measured: sliding the vowels' places against the audio's energy, the best fit is 55 to 70 ms early
for five voices at speed 1, 45 ms at 1.5, 75 ms at 0.7: about 60 ms over the root of the speed.
Kokoro's own pipeline takes off 75 ms.
"""

DURATIONS = "/encoder/Clip_output_0"
"""The tensor of durations inside the exported graph, float32 `(1, tokens)`, whole numbers."""

LONGEST = "longest"
"""The input that is added: no token lasts longer than this, float32 `(1, tokens)`, frames."""

UNBOUNDED = 1e6
MARK_FRAMES = 5
"""Frames made for punctuation at the end, and ..."""
END_FRAMES = 3
"""... for the end itself: the pause that is wanted after it is silence, and need not be made. The
silence before the first sound must be: bounded to 6 or 9 frames, the first word is swallowed.
"""

SPEEDS = (0.25, 4.0)
"""Slowest and fastest speed that may be asked for."""

OWN_SPEEDS = (0.5, 1.3)
"""Speeds the model itself is asked for; the rest is done by stretching.

Heard by Whisper base, three sentences in two voices at speed 2 have a word error rate of 22 % when
the model makes the whole speed (first words are swallowed), 1.6 % with 1.3, 0 % with 1.0.
"""

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

_Style = NDArray[np.float32]


class KokoroTts:
    """See `voice.engines.Tts`."""

    def __init__(
        self, session: onnxruntime.InferenceSession, styles: dict[str, _Style], device: str
    ) -> None:
        self.device = device
        self.voices = {name: _voice(name) for name in styles}
        self._session = session
        self._styles = styles
        self._lane = Lane("tts")

    async def synthesize(self, text: str, *, voice: str, speed: float = 1.0) -> Speech:
        """Speak `text` as one piece; see `voice.engines.Tts`.

        Raises `VoiceError` with code `unknown_voice` or `bad_speed` (not in 0.25 to 4),
        `Overloaded`, `EngineFailed`. Cancelling the call before its work starts costs nothing.
        """
        if voice not in self.voices:
            raise VoiceError(f"there is no voice {voice!r}", code="unknown_voice", param="voice")
        slowest, fastest = SPEEDS
        if not slowest <= speed <= fastest:
            message = f"the speed must be between {slowest} and {fastest}"
            raise VoiceError(message, code="bad_speed", param="speed")
        return await self._lane.run(lambda: self.speak(text, voice, speed))

    def speak(self, text: str, voice: str, speed: float) -> Speech:
        """`synthesize` on the calling thread, its arguments known to be good (blocking)."""
        try:
            spoken = phonemize(text, self.voices[voice].language)
        except ImportError as error:
            raise EngineFailed(f"the language of {voice} cannot be spoken here: {error}") from error
        return self.render(text.split(), spoken, voice, speed)

    def render(
        self, texts: Sequence[str], spoken: Sequence[str], voice: str, speed: float
    ) -> Speech:
        """Speak the words `texts`, whose phonemes and punctuation are `spoken` (blocking)."""
        pieces: list[Pcm] = []
        times: dict[int, tuple[int, int]] = {}
        offset = 0
        own = min(max(speed, OWN_SPEEDS[0]), OWN_SPEEDS[1])
        rest = speed / own
        for run in passes(signs_of(spoken)):
            audio, edges = self.infer(run, self._styles[voice], own)
            if rest != 1.0:
                audio = stretched(audio, rest)
                edges = [round(edge / rest) for edge in edges]
            piece, cut = trimmed(audio, pause_after(run) / speed)
            sounding = spans(run, edges)
            # The first word must not come to lie before the audio, or it would have no length.
            first_end = min(end for _, end in sounding.values())
            ahead = round(SOUND_AHEAD / sqrt(own) / rest)
            shift = min(cut + ahead, first_end - SAMPLES_PER_FRAME)
            for word, (start, end) in sounding.items():
                at, until = (min(max(t - shift, 0), len(piece)) + offset for t in (start, end))
                times[word] = (times.get(word, (at, 0))[0], until)
            pieces.append(piece)
            offset += len(piece)
        pcm = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)
        return Speech(pcm, *_words(texts, times))

    def infer(self, run: Sequence[Sign], style: _Style, speed: float) -> tuple[Pcm, list[int]]:
        """One pass of the model over at most 510 signs, nothing trimmed (blocking).

        Returns the audio and `len(run) + 2` sample numbers: sign `i` lies between numbers `i` and
        `i + 1`, and the last is the length of the audio. Raises `EngineFailed`.
        """
        tokens = [0, *(VOCABULARY[sign.sign] for sign in run), 0]
        longest = np.full((1, len(tokens)), UNBOUNDED, dtype=np.float32)
        longest[0, -1] = END_FRAMES
        if run[-1].sign in MARKS:
            longest[0, -2] = MARK_FRAMES
        try:
            audio, durations = self._session.run(
                None,
                {
                    "tokens": np.array([tokens], dtype=np.int64),
                    "style": style[len(run) - 1],
                    "speed": np.array([speed], dtype=np.float32),
                    LONGEST: longest,
                },
            )
        except Exception as error:  # onnxruntime's errors share no base class of their own
            log.exception("speech synthesis failed")
            raise EngineFailed("the speech could not be made") from error
        frames = [round(float(duration)) for duration in durations.ravel()]
        edges = [end * SAMPLES_PER_FRAME for end in accumulate(frames)]
        return np.clip(np.nan_to_num(audio.ravel()), -1.0, 1.0), edges


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


def with_durations(model: bytes) -> bytes:
    """The ONNX `model` with `DURATIONS` bounded by another input and handed out as another output.

    The node that makes the durations is renamed its output (to a name of the same length, so that
    nothing moves), and ModelProto{graph(7): {node(1), input(11), output(12)}} is appended
    (onnx.proto): `DURATIONS = Min(renamed, LONGEST)`. ONNX Runtime infers the output's type.
    Raises `ConfigError` if the graph is another.
    """
    name, made = DURATIONS.encode(), f"{DURATIONS[:-1]}#".encode()
    if model.count(_field(2, name)) != 1:
        raise ConfigError("this Kokoro model has no durations where they are looked for")
    longest = LONGEST.encode()
    node = _field(1, made) + _field(1, longest) + _field(2, name) + _field(4, b"Min")
    shape = _field(1, b"\x08\x01") + _field(1, _field(2, b"sequence_length"))
    kind = _field(1, b"\x08\x01" + _field(2, shape))  # TypeProto.Tensor of float
    bound = _field(1, longest) + _field(2, kind)
    graph = _field(1, node) + _field(11, bound) + _field(12, _field(1, name))
    return model.replace(_field(2, name), _field(2, made)) + _field(7, graph)


def _field(number: int, payload: bytes) -> bytes:
    """A length-delimited field of a Protocol Buffers message."""
    length, size = b"", len(payload)
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + payload


def load_styles(folder: Path) -> dict[str, _Style]:
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


def open_session(
    model: bytes, device: str, threads: int
) -> tuple[onnxruntime.InferenceSession, str]:
    """A session on the best device of those `device` allows, and that device's name.

    CUDA is taken only if a session really runs there; otherwise the CPU, with a warning.
    """
    if device != "cpu":
        offered = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
        if offered:
            try:
                session = _session(model, ["CUDAExecutionProvider"], threads)
                _try(session)
                if session.get_providers()[0] == "CUDAExecutionProvider":
                    return session, "cuda"
                log.warning("ONNX Runtime left CUDA aside; speech synthesis runs on the CPU")
            except Exception:
                log.warning("CUDA is there but does not run Kokoro; using the CPU", exc_info=True)
        elif device == "cuda":
            log.warning("this ONNX Runtime has no CUDA; speech synthesis runs on the CPU")
    return _session(model, [], threads), "cpu"


def _session(model: bytes, providers: list[str], threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model, sess_options=options, providers=[*providers, "CPUExecutionProvider"]
    )


def _try(session: onnxruntime.InferenceSession) -> None:
    """Run a short input once, which also makes the first real one fast."""
    tokens = np.array([[0, *[VOCABULARY[sign] for sign in "həlˈO."], 0]], dtype=np.int64)
    style = np.zeros((1, 256), dtype=np.float32)
    speed = np.ones(1, dtype=np.float32)
    longest = np.full(tokens.shape, UNBOUNDED, dtype=np.float32)
    session.run(None, {"tokens": tokens, "style": style, "speed": speed, LONGEST: longest})


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
        session, device = open_session(
            with_durations(path.read_bytes()), options.device, options.threads
        )
        _try(session)
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise ConfigError(f"the model file kokoro/{path.name} cannot be used: {error}") from error
    warm("en-US")
    return KokoroTts(session, styles, device)
