"""The assistant's own voice is taken out of the microphone; another's comes through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import rooms
from bench.echo import BEGINS, USER, Sent, echo_of, noticed
from tests.conftest import WEIGHTS, Speak
from voice import g711, opus
from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm, int16_from_pcm
from voice.ears import Ears
from voice.echo import Cleaned, Echo
from voice.echo_delay import EARLY, LATE, SPAN, Delay
from voice.echo_filter import FRAME, EchoFilter
from voice.echo_line import Line
from voice.engines import EngineOptions, Vad, load_engine
from voice.events import SpeechStarted
from voice.loudspeaker import Loudspeaker
from voice.sections import VadSettings

ROOM = rooms.synthetic(0.2, seed=1)


def babble(seconds: float, seed: int) -> Pcm:
    """Noise that comes and goes like syllables, -20 dB: no two seeds have anything in common."""
    chance = np.random.default_rng(seed)
    length = int(seconds * HEARD_RATE)
    loud = chance.uniform(0.0, 1.0, length // 1600 + 2) ** 2
    envelope = np.interp(np.arange(length) / 1600, np.arange(len(loud)), loud)
    sound = chance.standard_normal(length) * envelope
    return rooms.at_level(np.convolve(sound, [0.5, 0.5], mode="same").astype(np.float32), -20.0)


def clean(echo: Echo, heard: Pcm, start: int = 0) -> Iterator[Cleaned]:
    for at in range(0, len(heard) - FRAME + 1, FRAME):
        yield echo.clean(heard[at : at + FRAME], start + at)


def cleaned(echo: Echo, heard: Pcm) -> Pcm:
    return np.concatenate([result.frame for result in clean(echo, heard)])


def power(pcm: Pcm) -> float:
    return float(10 * np.log10(np.mean(np.square(pcm)) + 1e-12))


def second(pcm: Pcm, number: float) -> Pcm:
    start = int(number * HEARD_RATE)
    return pcm[start : start + HEARD_RATE]


def echo_at(delay: float, reply: Pcm, room: Pcm = ROOM, decibels: float = -6.0) -> Pcm:
    sounding = rooms.at_level(rooms.heard_in(room, reply), -26.0 + decibels)
    length = len(reply) + 2 * HEARD_RATE
    return rooms.mixed(length, (int(delay * HEARD_RATE), sounding)) + rooms.noise(length)


# --- the line


def test_pieces_sound_one_after_another() -> None:
    line = Line()
    assert line.play(np.ones(100, np.float32), 50) == 50
    assert line.play(np.full(100, 2.0, np.float32), 60) == 150
    assert line.play(np.full(100, 3.0, np.float32), 400) == 400
    assert list(line.read(48, 52)) == [0, 0, 1, 1]
    assert list(line.read(149, 151)) == [1, 2]
    assert list(line.read(249, 251)) == [2, 0]
    assert list(line.read(399, 401)) == [0, 3]
    assert line.end == 500


def test_a_line_that_is_stopped_is_silent_from_there_on() -> None:
    line = Line()
    line.play(np.ones(1000, np.float32), 0)
    line.stop(300)
    assert line.end == 300
    assert not line.read(300, 1000).any()
    assert line.play(np.ones(10, np.float32), 310) == 310
    assert not line.read(300, 310).any()


@pytest.mark.parametrize("by", [-200, 0, 500])
def test_what_is_to_come_can_be_moved(by: int) -> None:
    line = Line()
    line.play(np.arange(1, 1001, dtype=np.float32), 0)
    line.delay(400, by)
    assert line.end == 1000 + by
    assert line.read(400 + by, 402 + by).tolist() == [401, 402]
    assert line.read(0, min(400, 400 + by)).tolist() == list(range(1, min(400, 400 + by) + 1))


@given(
    st.lists(st.tuples(st.integers(0, 300_000), st.integers(0, 9000)), max_size=12),
    st.integers(0, 300_000),
)
def test_reads_what_was_played_where_it_sounds(
    pieces: list[tuple[int, int]], forgotten: int
) -> None:
    line = Line()
    expected = np.zeros(500_000, dtype=np.float32)
    end = 0
    for number, (at, length) in enumerate(sorted(pieces), 1):
        begin = line.play(np.full(length, number, dtype=np.float32), at)
        assert begin == max(at, end)
        expected[begin : begin + length] = number
        end = begin + length
    line.forget(forgotten)
    low = max(forgotten, line.end - 16_000, line.start)
    assert np.array_equal(line.read(low, low + 20_000), expected[low : low + 20_000])


# --- the delay


@pytest.mark.parametrize("delay", [-400, 0, 800, 4800, 16_000])
def test_finds_the_delay_in_a_room(delay: int) -> None:
    reply = babble(3.0, 1)
    line = rooms.mixed(80_000, (20_000, reply))
    heard = rooms.mixed(80_000, (20_000 + delay, rooms.heard_in(ROOM, reply)))
    search = Delay()
    compared = [
        search.compare(heard[end - SPAN : end], line[end - SPAN - LATE : end + EARLY])
        for end in range(40_000, 56_000, 1024)
    ]
    found, height = max(compared, key=lambda result: result[1])
    assert abs(found - delay - rooms.DIRECT) <= 2
    assert height > 15


@pytest.mark.parametrize("seed", range(5))
def test_finds_none_where_there_is_none(seed: int) -> None:
    reply, other = babble(4.0, seed), babble(4.0, 100 + seed)
    search = Delay()
    for end in range(30_000, 36_000, 1024):
        _, height = search.compare(other[end - SPAN : end], reply[end - SPAN - LATE : end + EARLY])
        assert height < 10


# --- the whole


def test_nothing_played_nothing_changed() -> None:
    heard = babble(1.0, 3)
    for result, at in zip(clean(Echo(), heard), range(0, len(heard), FRAME), strict=False):
        assert result.frame.tobytes() == heard[at : at + FRAME].tobytes()
        assert not result.only_echo


def test_passes_frames_as_they_are_when_the_echo_has_died_down() -> None:
    echo, reply = Echo(), babble(2.0, 1)
    echo.play(reply, 0)
    cleaned(echo, echo_at(0.2, reply)[: 3 * HEARD_RATE // FRAME * FRAME])
    later = babble(1.0, 5)
    for at, result in enumerate(clean(echo, later, 5 * HEARD_RATE)):
        assert result.frame.tobytes() == later[at * FRAME : (at + 1) * FRAME].tobytes()
        assert not result.only_echo


@pytest.mark.parametrize("decibels", [-6.0, -20.0])
@pytest.mark.parametrize("delay", [0.05, 0.3, 0.9])
def test_takes_the_echo_out(delay: float, decibels: float) -> None:
    echo, reply = Echo(), babble(5.0, 1)
    heard = echo_at(delay, reply, decibels=decibels)
    echo.play(reply, 0)
    out = cleaned(echo, heard)
    for number in (delay + 2, delay + 3):
        assert power(second(out, number)) < power(second(heard, number)) - 20
    assert echo.lag is not None
    assert abs(echo.lag - delay * HEARD_RATE - rooms.DIRECT) <= 8


def test_what_is_only_echo_is_called_so_and_a_voice_is_not() -> None:
    echo, reply, voice = Echo(), babble(6.0, 1), babble(1.0, 2)
    heard = echo_at(0.2, reply)
    at = 3 * HEARD_RATE // FRAME * FRAME
    heard[at : at + HEARD_RATE] += rooms.at_level(voice, -26.0)
    echo.play(reply, 0)
    flags = [result.only_echo for result in clean(echo, heard)]
    loud = [power(heard[n * FRAME : (n + 1) * FRAME]) > -50 for n in range(len(flags))]
    quiet = range(HEARD_RATE // FRAME, at // FRAME)
    over = range(at // FRAME, (at + HEARD_RATE) // FRAME)
    assert np.mean([flags[n] for n in quiet if loud[n]]) > 0.9
    assert np.mean([flags[n] for n in over if loud[n]]) < 0.4


@pytest.mark.parametrize(("calm", "taken"), [(0.5, True), (2.5, False)])
def test_with_headphones_nobody_is_taken_for_an_echo(calm: float, taken: bool) -> None:
    echo, reply = Echo(), babble(6.0, 1)
    echo.play(reply, 0)
    begins = int(calm * HEARD_RATE) // FRAME * FRAME
    voice = rooms.at_level(babble(0.2, 2), -26.0)
    list(clean(echo, np.zeros(begins, np.float32)))
    assert any(result.only_echo for result in clean(echo, voice, begins)) == taken
    later = 7 * HEARD_RATE // FRAME * FRAME
    list(clean(echo, np.zeros(later - begins, np.float32), begins))
    echo.play(reply, later)  # the next reply begins while somebody speaks
    assert not any(result.only_echo for result in clean(echo, voice, later))


def found_in(calm: float, seconds: float) -> bool:
    """Whether so many seconds of a reply's echo are found after so many of silence."""
    echo, reply = Echo(), babble(6.0, 1)
    echo.play(reply, 0)
    heard = echo_at(0.2, reply)
    begins, frames = int(calm * HEARD_RATE) // FRAME * FRAME, int(seconds * HEARD_RATE / FRAME)
    heard[:begins] = 0.0
    heard[begins + frames * FRAME :] = 0.0
    list(clean(echo, heard))
    return echo.lag is not None


def test_with_headphones_an_echo_has_to_last_to_be_believed() -> None:
    assert found_in(0.5, 0.4)
    assert not found_in(2.5, 0.7)
    assert found_in(2.5, 1.5)  # they were taken off


def test_a_voice_over_the_echo_keeps_its_sound() -> None:
    echo, reply, voice = Echo(), babble(6.0, 1), rooms.at_level(babble(1.0, 2), -26.0)
    heard = echo_at(0.2, reply)
    heard[3 * HEARD_RATE : 4 * HEARD_RATE] += voice
    echo.play(reply, 0)
    out = second(cleaned(echo, heard), 3)
    before = np.corrcoef(second(heard, 3), voice)[0, 1]
    after = np.corrcoef(out, voice)[0, 1]
    assert after > 0.95
    assert after > before


def test_follows_a_page_that_ducks() -> None:
    echo, reply = Echo(), babble(6.0, 1)
    heard = rooms.ducked(echo_at(0.2, reply), 3.0, 4.5)
    echo.play(reply, 0)
    out = cleaned(echo, heard)
    assert power(second(out, 3.2)) < power(second(heard, 3.2)) - 8
    assert power(second(out, 4.7)) < power(second(heard, 4.7)) - 15


def test_finds_an_echo_that_moved() -> None:
    echo, reply = Echo(), babble(7.0, 1)
    heard = echo_at(0.2, reply)
    cut = 3 * HEARD_RATE
    heard = np.concatenate((heard[:cut], rooms.noise(2400), heard[cut:]))
    echo.play(reply, 0)
    out = cleaned(echo, heard)
    assert power(second(out, 5)) < power(second(heard, 5)) - 15


def in_another_room(heard: Pcm, reply: Pcm, cut: int) -> Pcm:
    elsewhere = echo_at(0.2, reply, rooms.synthetic(0.3, seed=9))
    return np.concatenate((heard[:cut], elsewhere[cut:]))


def stalled(heard: Pcm, reply: Pcm, cut: int) -> Pcm:
    return np.concatenate((heard[:cut], rooms.noise(2400), heard[cut:]))


@pytest.mark.parametrize("changed", [in_another_room, stalled])
def test_an_echo_that_comes_otherwise_than_expected_is_nobodys_voice(
    changed: Callable[[Pcm, Pcm, int], Pcm],
) -> None:
    echo, reply = Echo(), babble(7.0, 1)
    cut = 3 * HEARD_RATE // FRAME * FRAME
    heard = changed(echo_at(0.2, reply), reply, cut)
    echo.play(reply, 0)
    results = list(clean(echo, heard))
    loud = [power(heard[n * FRAME : (n + 1) * FRAME]) > -50 for n in range(len(results))]
    after = range(cut // FRAME, cut // FRAME + 3 * HEARD_RATE // FRAME)
    assert np.mean([results[n].only_echo for n in after if loud[n]]) > 0.9
    out = np.concatenate([result.frame for result in results])
    assert power(second(out, 4.5)) < power(second(heard, 4.5)) - 15


def test_a_filter_misses_an_echo_that_moved_and_none_under_a_voice() -> None:
    reply, voice = babble(6.0, 1), rooms.at_level(babble(6.0, 2), -14.0)
    heard = rooms.at_level(rooms.heard_in(ROOM, reply), -26.0)

    def missing(sound: Pcm) -> list[bool | None]:
        learner = EchoFilter()
        learner.expect(0.25)
        found = []
        for at in range(FRAME, len(sound) - FRAME, FRAME):
            piece = reply[at - FRAME : at + FRAME]
            found.append(learner.split(sound[at : at + FRAME], piece, learn=True).missing)
        return found

    def in_a_row(found: list[bool | None]) -> int:
        return max(len(list(run)) if same else 0 for same, run in groupby(found))

    half = 3 * HEARD_RATE // FRAME * FRAME
    moved = np.concatenate((heard[:half], heard[half - 4800 : -4800]))[: len(reply)]
    over = heard[: len(reply)] + np.concatenate((np.zeros(half, np.float32), voice[half:]))
    change = half // FRAME
    assert in_a_row(missing(moved)[change // 2 : change]) < 3
    assert missing(moved)[change : change + 12].count(True) >= 6
    assert in_a_row(missing(over)[change // 2 :]) < 3


def test_a_room_that_answers_for_long_says_nothing() -> None:
    echo, reply = Echo(), babble(4.0, 1)
    room = np.concatenate((ROOM, rooms.noise(2 * HEARD_RATE, -68.0)))
    heard = echo_at(0.2, reply, room)
    echo.play(reply, 0)
    flags = [result.only_echo for result in clean(echo, heard)]
    tail = range(int(4.3 * HEARD_RATE) // FRAME, int(4.9 * HEARD_RATE) // FRAME)
    assert max(power(heard[n * FRAME : (n + 1) * FRAME]) for n in tail) > -60
    assert all(flags[n] for n in tail)


def test_a_stopped_reply_is_expected_no_more() -> None:
    echo, reply = Echo(), babble(4.0, 1)
    echo.play(reply, 0)
    heard = echo_at(0.2, reply)
    cleaned(echo, heard[:HEARD_RATE])
    echo.stop(HEARD_RATE)
    voice = babble(1.0, 2)
    for number, result in enumerate(clean(echo, voice, 4 * HEARD_RATE)):
        assert result.frame.tobytes() == voice[number * FRAME : (number + 1) * FRAME].tobytes()


def test_a_client_that_paused_is_followed_by_its_reports() -> None:
    echo, reply = Echo(), babble(6.0, 1)
    position = echo.play(reply, 0) + HEARD_RATE
    pause = 5 * HEARD_RATE
    sounding = rooms.at_level(rooms.heard_in(ROOM, reply[HEARD_RATE:]), -32.0)
    heard = rooms.mixed(12 * HEARD_RATE, (pause + 3200, sounding)) + rooms.noise(12 * HEARD_RATE)
    out = []
    for at in range(0, len(heard) - FRAME, FRAME):
        if at == pause // FRAME * FRAME:
            echo.played(position, at)
        out.append(echo.clean(heard[at : at + FRAME], at).frame)
    assert power(second(np.concatenate(out), 8)) < power(second(heard, 8)) - 15


def test_every_format_makes_the_same_sound() -> None:
    reply = soxr.resample(babble(2.0, 1), HEARD_RATE, SPOKEN_RATE)
    narrow = soxr.resample(reply, SPOKEN_RATE, g711.RATE)
    encoder = opus.Encoder()
    heard = echo_at(0.2, babble(2.0, 1))[: 3 * HEARD_RATE]
    lags = []
    whole = cut(int16_from_pcm(reply))
    for pieces, encoding in (
        (whole, "audio/pcm"),
        (cut(g711.encode(narrow, "audio/pcmu")), "audio/pcmu"),
        ([*map(encoder.encode, whole), encoder.flush()], "audio/opus"),
    ):
        echo = Echo()
        loudspeaker = Loudspeaker(echo)
        for piece in pieces:
            loudspeaker.play(piece, 0, of="a", encoding=encoding)
        cleaned(echo, heard)
        assert echo.lag is not None
        lags.append(echo.lag)
    assert all(abs(lag - 3240) < 160 for lag in lags), lags


def cut(data: bytes) -> list[bytes]:
    step = len(data) // 20 * 2
    return [data[start : start + step] for start in range(0, len(data), step)]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40_000)), max_size=20))
def test_never_breaks_a_frame(happenings: list[tuple[int, int]]) -> None:
    echo, at = Echo(), 0
    heard = babble(0.6, 7)
    for kind, number in happenings:
        if kind == 0:
            echo.play(babble(max(0.01, number / 40_000), number), at)
        elif kind == 1:
            echo.stop(at)
        elif kind == 2:
            echo.played(number, at)
        for result in clean(echo, heard, at):
            assert result.frame.shape == (FRAME,)
            assert np.isfinite(result.frame).all()
        at += len(heard) // FRAME * FRAME


# --- in the ears


class Loud:
    """A voice activity detector that takes every sound for speech."""

    frame = FRAME
    device = "cpu"

    def open(self) -> Loud:
        return self

    def probability(self, frame: Pcm) -> float:
        return float(power(frame) > -60)


def starts(ears: Ears, heard: Pcm) -> int:
    data = int16_from_pcm(soxr.resample(heard, HEARD_RATE, SPOKEN_RATE))
    return sum(isinstance(event, SpeechStarted) for event in ears.hear(data))


@pytest.mark.parametrize(("played", "begun"), [(True, 0), (False, 1)])
def test_ears_take_what_is_played_for_an_echo(played: bool, begun: int) -> None:
    ears, reply = Ears(Loud(), VadSettings(), capacity=HEARD_RATE), babble(0.5, 1)
    if played:
        ears.play(int16_from_pcm(soxr.resample(reply, HEARD_RATE, SPOKEN_RATE)), of="reply")
        ears.played("reply", 0.0)
    assert starts(ears, echo_at(0.1, reply)[: HEARD_RATE // 2]) == begun


def test_ears_expect_no_echo_of_a_reply_that_was_hushed() -> None:
    ears, reply = Ears(Loud(), VadSettings(), capacity=HEARD_RATE), babble(0.5, 1)
    ears.play(int16_from_pcm(soxr.resample(reply, HEARD_RATE, SPOKEN_RATE)), of="reply")
    ears.hush()
    assert starts(ears, babble(0.5, 2)) == 1


# --- with the real voice activity detector


@pytest.fixture(scope="module")
def vad() -> Vad:
    engine: Vad = load_engine("vad", "silero", EngineOptions(WEIGHTS, "cpu", threads=1))
    return engine


def read(path: Path) -> Pcm:
    pcm, rate = soundfile.read(path, dtype="float32")
    resampled: Pcm = soxr.resample(pcm, rate, HEARD_RATE)
    return resampled


@pytest.fixture(scope="module")
def reply(speak: Speak) -> Pcm:
    text = "The weather tomorrow will be mostly cloudy, with a light wind from the west."
    return read(speak(text, voice="af_heart", before=0.0))


@pytest.fixture(scope="module")
def voice(speak: Speak) -> Pcm:
    path = speak("Wait, stop! I want to ask you something else.", voice="am_michael", before=0.0)
    return rooms.at_level(read(path), USER)


@pytest.mark.models
@pytest.mark.parametrize("decibels", [-6.0, -12.0, -20.0, -30.0])
@pytest.mark.parametrize("delay", [0.05, 0.1, 0.2, 0.3])
def test_kokoro_does_not_interrupt_itself(
    vad: Vad, reply: Pcm, voice: Pcm, delay: float, decibels: float
) -> None:
    length = BEGINS + len(reply) + HEARD_RATE
    echo = echo_of(reply, ROOM, delay, decibels, length) + rooms.noise(length)
    sent = Sent.of((BEGINS, reply))
    assert noticed(vad, echo, sent)[0] == []
    at = BEGINS + 2 * HEARD_RATE
    starts, _ = noticed(vad, echo + rooms.mixed(length, (at, voice)), sent)
    assert starts
    assert at <= starts[0] <= at + HEARD_RATE


@pytest.mark.models
def test_without_the_defence_it_would(vad: Vad, reply: Pcm) -> None:
    length = BEGINS + len(reply) + HEARD_RATE
    echo = echo_of(reply, ROOM, 0.2, -20.0, length) + rooms.noise(length)
    assert noticed(vad, echo, Sent.of((BEGINS, reply)), echo=False)[0]
