"""Echo: does the assistant interrupt itself, and does a voice over it come through?

    VIVAVOCE_SPEECH_DIR=... python -m bench.echo [--delays 50,300] [--levels=-6,-30] [--plain]
        [--weighed] [--every N]

Kokoro's speech is the reply, sent in pieces of 0.2 s three times faster than it plays. It sounds in
a room, so much later than it is sent, and so much quieter than the user speaks (-26 dB of full
scale); the room has noise of -70 dB. Silero and the segmenter hear what `Ears` makes of it. The
user is another recording for each row: once 0.9 s and once 4 s after the reply begins. How late a
voice is noticed is counted from where the same voice is noticed without an echo.

That is what the VAD takes for speech (`self`). With `--weighed` each echo is also heard by the real
session in sample time (`bench.weighed`), with recogniser and turn detector, which weighs what the
VAD has noticed before it ends a reply: `ended` are the replies that were ended all the same, or
after which there is a message that nobody said.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import islice, product
from pathlib import Path

import numpy as np
import soxr

from bench import rooms
from bench.speech import corpus_folder, read_manifest
from bench.weighed import Models, listen
from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm, int16_from_pcm
from voice.ears import Ears
from voice.engines import EngineOptions, Vad, load_engine
from voice.events import SpeechStarted
from voice.sections import VadSettings
from voice.settings import Settings

REPLIES = {
    "af_heart": "The weather tomorrow will be mostly cloudy, with a high of eighteen degrees and a "
    "light wind from the west. You may want to take an umbrella, just in case.",
    "am_michael": "Sure. To make a good cup of tea, boil fresh water, warm the pot first, and let "
    "the leaves steep for about four minutes. Add milk if you like it.",
    "bf_emma": "There are three trains this evening. The first one leaves at six fifteen from "
    "platform two, the next at seven, and the last one at a quarter past nine.",
}
USER = -26.0
"""Level of the user's speech, decibels of full scale."""

BEGINS = HEARD_RATE
"""The sample at which the reply begins to be sent."""

PIECE = HEARD_RATE // 5
EARLIER, LATER = 0.9, 4.0
TRIALS = 6
"""What `trials` tries in each room."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Pieces of replies at 16 kHz and the samples at which they went out."""

    pieces: Sequence[tuple[int, str, Pcm]]

    @classmethod
    def of(cls, *replies: tuple[int, Pcm]) -> Sent:
        """Replies that begin at their samples, each three times faster than it plays."""
        pieces = [
            (at + start // 3, str(number), pcm[start : start + PIECE])
            for number, (at, pcm) in enumerate(replies)
            for start in range(0, len(pcm), PIECE)
        ]
        return cls(pieces)


NOTHING = Sent(())


def noticed(vad: Vad, heard: Pcm, sent: Sent, *, echo: bool = True) -> tuple[list[int], float]:
    """The samples by which speech was noticed to start, and seconds of processor time."""
    ears = Ears(vad, VadSettings(echo=echo), capacity=HEARD_RATE)
    data = int16_from_pcm(soxr.resample(heard, HEARD_RATE, SPOKEN_RATE, quality="VHQ"))
    waiting = [
        (at, of, int16_from_pcm(soxr.resample(pcm, HEARD_RATE, SPOKEN_RATE)))
        for at, of, pcm in sent.pieces
    ]
    starts: list[int] = []
    began = time.process_time()
    for start in range(0, len(data), 1920):
        while waiting and waiting[0][0] <= ears.tape.end:
            _, of, piece = waiting.pop(0)
            ears.play(piece, of=of)
        events = ears.hear(data[start : start + 1920])
        starts += [ears.tape.end for event in events if isinstance(event, SpeechStarted)]
    return starts, time.process_time() - began


@dataclass(slots=True)
class Result:
    """What happened in some runs."""

    runs: int = 0
    plain: int = 0
    """Self-interruptions without the defence."""
    self_interruptions: int = 0
    voices: int = 0
    missed: int = 0
    late: list[float] = field(default_factory=list)
    seconds: float = 0.0
    processor: float = 0.0
    ended: int = 0
    """Replies that their own echo ended, or made a message of, when it was weighed."""

    def __iadd__(self, other: Result) -> Result:
        for name in (one.name for one in fields(self)):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def row(self, name: str) -> str:
        """One line of the table."""
        late = np.array(self.late or [0.0]) * 1000
        share = f"{self.processor / self.seconds:.1%}" if self.seconds else ""
        return (
            f"{name:28}{self.runs:5}{self.plain:8}{self.self_interruptions:6}{self.ended:7}"
            f"{self.voices:8}{self.missed:7}{np.median(late):8.0f}{late.max():7.0f} ms{share:>8}"
        )


HEAD = (
    f"{'':28}{'runs':>5}{'plain':>8}{'self':>6}{'ended':>7}{'voices':>8}{'missed':>7}"
    f"{'late':>8}{'most':>10}{'cpu':>8}"
)


_ALONE: dict[tuple[int, bytes], list[int]] = {}


def alone(vad: Vad, at: int, voice: Pcm) -> list[int]:
    """The samples by which a voice is noticed that nothing else sounds with."""
    key = (at, voice[:4000].tobytes())
    if key not in _ALONE:
        length = at + len(voice)
        quiet = rooms.noise(length)
        _ALONE[key] = noticed(vad, rooms.mixed(length, (at, voice)) + quiet, NOTHING)[0]
    return _ALONE[key]


def measure(
    vad: Vad, echo: Pcm, sent: Sent, users: Sequence[tuple[float, Pcm]], *, plain: bool
) -> Result:
    """Hear an echo alone, then with each user's voice so many seconds after the reply begins."""
    length = len(echo)
    quiet = echo + rooms.noise(length)
    starts, took = noticed(vad, quiet, sent)
    result = Result(runs=1, self_interruptions=len(starts), seconds=length / HEARD_RATE)
    without, unguarded = noticed(vad, quiet, sent, echo=False) if plain else ([], took)
    result.plain = len(without)
    result.processor = took - unguarded
    for after, voice in users:
        at = BEGINS + int(after * HEARD_RATE)
        spoken = rooms.mixed(length, (at, voice))
        expected = alone(vad, at, voice)
        if not expected:
            continue
        result.voices += 1
        starts, _ = noticed(vad, quiet + spoken, sent)
        over = [start for start in starts if at <= start <= at + len(voice)]
        if over:
            result.late.append((over[0] - expected[0]) / HEARD_RATE)
        else:
            result.missed += 1
    return result


def echo_of(reply: Pcm, room: Pcm, delay: float, decibels: float, length: int) -> Pcm:
    """The reply as the microphone hears it, so much quieter than the user."""
    sounding = rooms.at_level(rooms.heard_in(room, reply), USER + decibels)
    return rooms.mixed(length, (BEGINS + int(delay * HEARD_RATE), sounding))


def trials(
    replies: Sequence[Pcm], voices: Sequence[Pcm], places: Mapping[str, Pcm]
) -> Iterable[tuple[str, Pcm, Sent, list[tuple[float, Pcm]]]]:
    """What else may happen, in every room: echo at -12 dB, 200 ms after it is sent."""
    for number, room in enumerate(places.values()):
        reply, other = replies[number % len(replies)], replies[(number + 1) % len(replies)]
        length = BEGINS + len(reply) + 2 * HEARD_RATE
        users = [(LATER, voices[number % len(voices)])]
        sent = Sent.of((BEGINS, reply))
        echo = echo_of(reply, room, 0.2, -12.0, length)
        soft = rooms.ducked(echo, 3.0, 4.5)
        yield "ducked to a fifth for 1.5 s", soft, sent, users
        cut = BEGINS + 3 * HEARD_RATE
        late = np.concatenate((echo[:cut], np.zeros(2400, np.float32), echo[cut:]))[:length]
        yield "playback stalls for 150 ms", late, sent, users
        shifted = rooms.mixed(length, (0, echo[:cut]), (cut, echo[cut:] * np.float32(0.5)))
        yield "volume halved for good", shifted, sent, users
        elsewhere = echo_of(reply, rooms.synthetic(0.3, seed=9), 0.2, -12.0, length)
        yield (
            "another room from 3 s on",
            rooms.mixed(length, (0, echo[:cut]), (cut, elsewhere[cut:])),
            sent,
            users,
        )
        second = length
        whole = second + len(other) + 2 * HEARD_RATE
        after = rooms.at_level(rooms.heard_in(room, other), USER - 12.0)
        both = rooms.mixed(whole, (0, echo), (second + int(0.26 * HEARD_RATE), after))
        again = [((second - BEGINS) / HEARD_RATE + 1.5, voices[(number + 3) % len(voices)])]
        yield "second reply, 60 ms later", both, Sent.of((BEGINS, reply), (second, other)), again
        yield "no echo at all", np.zeros(length, np.float32), sent, [(EARLIER, users[0][1]), *users]


def load_models(weights: Path, vad: Vad) -> Models:
    """What a session needs."""
    options = EngineOptions(weights, "cpu", threads=1)
    return Models(
        vad=vad,
        turn=load_engine("turn", "smart-turn", options),
        stt=load_engine("stt", "faster-whisper", options),
        tts=load_engine("tts", "kokoro", options),
    )


def speak_replies(models: Models) -> list[Pcm]:
    """The replies at 16 kHz, as a session sends them."""
    quiet = rooms.noise(HEARD_RATE * 14)
    spoken = [listen(models, Settings(), text, voice, quiet) for voice, text in REPLIES.items()]
    return [soxr.resample(reply.sent, SPOKEN_RATE, HEARD_RATE) for reply in spoken]


def ends(models: Models, number: int, echo: Pcm) -> int:
    """1 if reply `number` is ended by its echo, or a message made of it, in a real session."""
    voice, text = list(REPLIES.items())[number]
    heard = echo + rooms.noise(len(echo))
    outcome = listen(models, Settings(), text, voice, heard[BEGINS:])
    return int(outcome.interrupted is not None or bool(outcome.messages))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--delays", default="50,100,200,300", help="milliseconds")
    parser.add_argument("--levels", default="-6,-12,-20,-30", help="decibels below the user")
    parser.add_argument("--plain", action="store_true", help="also without the defence")
    parser.add_argument("--weighed", action="store_true", help="also through the real session")
    parser.add_argument("--every", type=int, default=1, help="every Nth echo only (not 6th)")
    chosen = parser.parse_args()
    folder = corpus_folder()
    if folder is None:
        parser.error("VIVAVOCE_SPEECH_DIR is not set")
    weights = Settings().weights
    vad: Vad = load_engine("vad", "silero", EngineOptions(weights, "cpu", threads=1))
    models = load_models(weights, vad)
    replies = speak_replies(models)
    kinds = ("sentence", "command")
    clips = [clip for clip in read_manifest(folder) if clip.kind in kinds]
    voices = [rooms.at_level(clip.read(), USER) for clip in clips]
    places = {
        **rooms.recorded(folder),
        "synthetic 0.2 s": rooms.synthetic(0.2, seed=1),
        "synthetic 0.5 s": rooms.synthetic(0.5, seed=2),
    }
    by_level: dict[str, Result] = {}
    by_room: dict[str, Result] = {}
    total = Result()
    delays, levels = chosen.delays.split(","), chosen.levels.split(",")
    grid = enumerate(product(map(int, delays), map(float, levels), places.items()))
    for number, (delay, decibels, (name, room)) in islice(grid, 0, None, chosen.every):
        reply = replies[number % len(replies)]
        length = BEGINS + len(reply) + 2 * HEARD_RATE
        users = [
            (EARLIER, voices[number % len(voices)]),
            (LATER, voices[(number + 7) % len(voices)]),
        ]
        echo = echo_of(reply, room, delay / 1000, decibels, length)
        result = measure(vad, echo, Sent.of((BEGINS, reply)), users, plain=chosen.plain)
        if chosen.weighed:
            result.ended = ends(models, number % len(replies), echo)
        for table, row in ((by_level, f"{delay} ms, {decibels:.0f} dB"), (by_room, name)):
            table.setdefault(row, Result())
            table[row] += result
        total += result
    other: dict[str, Result] = {}
    more = enumerate(trials(replies, voices, places))
    for number, (name, echo, sent, users) in islice(more, 0, None, chosen.every):
        other.setdefault(name, Result())
        result = measure(vad, echo, sent, users, plain=chosen.plain)
        if chosen.weighed and len({of for _, of, _ in sent.pieces}) == 1:
            result.ended = ends(models, number // TRIALS % len(replies), echo)
        other[name] += result
    for rows in (by_level, by_room, {"all": total}, other):
        print(HEAD)
        for name, result in rows.items():
            print(result.row(name))


if __name__ == "__main__":
    main()
