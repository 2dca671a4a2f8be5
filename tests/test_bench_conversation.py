"""The virtual room of the conversation benchmark, its client and its scores."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import urllib.request
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bench.conversation import GROUPS, leaves
from bench.conversation import __doc__ as told
from bench.conversing.call import BLOCK, Call, calling, room_tone
from bench.conversing.cues import prepare_cues
from bench.conversing.noises import MADE, hum
from bench.conversing.replies import BRIEF, LONG, NOT_READ, READ, SHORT, scripted
from bench.conversing.report import SCENARIOS, scenarios, summary, tables
from bench.conversing.scoring import (
    Asked,
    Check,
    Found,
    Probe,
    clipped,
    continues,
    counted,
    digits,
    edges_kept,
    precision_recall,
    prefix_errors,
    prefix_spoken,
    read_well,
    word_errors,
    words_played,
)
from bench.conversing.sound import (
    FADE,
    JITTER,
    RAMP,
    REPORT,
    EchoPath,
    Loudspeaker,
    Microphone,
    Played,
    levelled,
    voiced,
)
from bench.serving import ROOT
from voice.audio import SPOKEN_RATE as RATE
from voice.audio import Pcm, int16_from_pcm, pcm_from_int16
from voice.protocol import frames


def ramp(count: int) -> Pcm:
    return np.linspace(0.1, 0.9, count, dtype=np.float32)


# --- the loudspeaker


def test_an_item_waits_for_the_jitter_buffer_and_then_plays_from_its_first_sample() -> None:
    speaker = Loudspeaker()
    sound = ramp(JITTER + 100)
    speaker.push("a", sound[: JITTER - 1])
    out, _ = speaker.render(480)
    assert not out.any()
    assert speaker.sounding == "a"
    assert not speaker.audible
    speaker.push("a", sound[JITTER - 1 :])
    out, _ = speaker.render(480)
    assert speaker.ahead == len(sound) - 480
    np.testing.assert_array_equal(out, sound[:480])
    assert speaker.played("a") == 480


def test_an_item_that_is_complete_needs_no_buffer_and_the_next_one_follows_without_a_gap() -> None:
    speaker = Loudspeaker()
    speaker.push("a", ramp(300))
    speaker.push("b", ramp(JITTER))  # so "a" has all it gets
    out, reports = speaker.render(480)
    np.testing.assert_array_equal(out, np.concatenate((ramp(300), ramp(JITTER)[:180])))
    assert reports == [Played("a", 300, done=True)]
    assert not speaker.holds("a")
    assert speaker.holds("b")


def test_a_patient_speaker_waits_until_all_of_an_item_is_there() -> None:
    speaker = Loudspeaker(jitter=60 * RATE)
    speaker.push("a", ramp(2 * RATE))
    assert not speaker.render(480)[0].any()
    speaker.finish("a")
    assert speaker.render(480)[0].all()


def test_a_speaker_that_runs_dry_waits_for_the_buffer_again() -> None:
    speaker = Loudspeaker()
    speaker.push("a", ramp(JITTER))
    speaker.render(JITTER + 10)
    assert speaker.underruns == 1
    speaker.push("a", ramp(480))
    out, _ = speaker.render(480)
    assert not out.any()
    speaker.finish("a")
    out, reports = speaker.render(480)
    np.testing.assert_array_equal(out, ramp(480))
    assert reports == [Played("a", JITTER + 480, done=True)]


def test_reports_come_four_times_a_second() -> None:
    speaker = Loudspeaker()
    speaker.push("a", ramp(RATE))
    reports = [played for _ in range(RATE // 480) for played in speaker.render(480)[1]]
    assert [played.samples for played in reports] == [12 * 480 + 480, *[26 * 480, 39 * 480]]
    assert all(played.samples % REPORT < 3 * 480 for played in reports)


def test_a_stop_fades_and_counts_what_cannot_be_taken_back() -> None:
    speaker = Loudspeaker()
    speaker.push("a", np.ones(RATE, np.float32))
    speaker.render(480)
    assert speaker.stop() == Played("a", 480 + FADE, done=False)
    out, reports = speaker.render(480)
    assert out[0] == 1
    assert out[FADE - 1] == 0
    assert not out[FADE:].any()
    assert reports == []
    assert speaker.stop() is None
    assert speaker.played("a") == 480 + FADE


def test_ducking_is_a_ramp_and_what_was_heard_is_kept_at_its_own_loudness() -> None:
    speaker = Loudspeaker()
    speaker.push("a", np.ones(RATE, np.float32))
    speaker.duck(0.25)
    out, _ = speaker.render(RAMP)
    assert np.all(np.diff(out) <= 0)
    assert out[-1] == pytest.approx(0.25)
    speaker.duck(1.0)
    out, _ = speaker.render(RAMP)
    assert out[-1] == pytest.approx(1.0)
    assert np.concatenate(speaker.heard["a"]).min() == 1


# --- the room


def test_an_echo_is_the_convolution_whatever_the_blocks() -> None:
    chance = np.random.default_rng(1)
    sound = chance.standard_normal(1000).astype(np.float32)
    response = chance.standard_normal(130).astype(np.float32)
    path = EchoPath(response, level=-20, delay=50)
    heard = np.concatenate([path.pass_on(sound[at : at + 77]) for at in range(0, 1000, 77)])
    scaled = response * 0.1 / np.linalg.norm(response)
    expected = np.convolve(sound, np.pad(scaled, (50, 0)))[:1000]
    np.testing.assert_allclose(heard, expected, atol=1e-5)
    assert not np.any(np.abs(heard[:50]) > 1e-5)


def test_a_microphone_mixes_sounds_at_their_moments_into_the_room() -> None:
    microphone = Microphone(np.full(7, 0.01, np.float32))
    microphone.take(100)
    assert microphone.place(np.full(30, 0.5, np.float32), after=15) == 115
    microphone.place(np.full(10, 0.25, np.float32), after=20)
    heard = np.concatenate([microphone.take(10) for _ in range(6)])
    expected = np.full(60, 0.01)
    expected[15:45] += 0.5
    expected[20:30] += 0.25
    np.testing.assert_allclose(heard, expected, rtol=1e-6)
    assert microphone.clock == 160


def test_a_sound_is_found_and_set_to_its_level() -> None:
    sound = np.zeros(RATE, np.float32)
    sound[4800:9600] = 0.3
    assert voiced(sound) == (4800, 9600)
    assert voiced(np.zeros(500, np.float32)) == (0, 500)
    tone = np.sin(np.arange(RATE, dtype=np.float32) / 3)
    assert np.std(levelled(np.concatenate((tone, tone * 0)), -26)[:RATE]) == pytest.approx(
        0.05, 0.01
    )


@pytest.mark.parametrize("name", MADE)
def test_made_noises_are_always_the_same_and_neither_silent_nor_broken(name: str) -> None:
    one, other = MADE[name](), MADE[name]()
    np.testing.assert_array_equal(one, other)
    assert one.dtype == np.float32
    assert 0.005 < np.abs(one).max() <= 1
    assert np.isfinite(one).all()


def test_a_hum_has_the_pitch_that_is_asked_for() -> None:
    piece = hum(115.0)[int(0.1 * RATE) : int(0.2 * RATE)]
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), RATE))
    assert np.argmax(spectrum) == pytest.approx(112, abs=6)


@pytest.mark.models
def test_without_recordings_everything_is_spoken_or_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIVAVOCE_SPEECH_DIR", raising=False)
    weights = ROOT / "data" / "models"
    cues = prepare_cues(weights, tmp_path, quick=True)
    assert not cues.recorded
    assert [cue.text for cue in cues.interruptions] == ["Stop.", "Wait."]
    assert {cue.name for cue in cues.noises} == {"cough (made)", "laugh (made)"}
    assert list(cues.responses) == ["made"]
    for cue in (*cues.backchannels, *cues.interruptions, *cues.questions, *cues.number):
        assert 0 <= cue.begin < cue.end <= len(cue.pcm)
        assert 0.3 < cue.seconds < 4
    again = prepare_cues(tmp_path / "no weights", tmp_path, quick=True)  # nothing is said anew
    np.testing.assert_array_equal(again.questions[1].pcm, cues.questions[1].pcm)


# --- scores

WORDS = [
    {"text": text, "start_ms": start, "end_ms": start + 200}
    for text, start in (("Good", 0), ("bread", 200), ("begins", 500))
]


@pytest.mark.parametrize(
    ("ms", "heard"),
    [(0, []), (99, []), (100, ["Good"]), (450, ["Good", "bread"]), (9000, "Good bread begins")],
)
def test_a_word_was_heard_when_half_of_it_was(ms: float, heard: list[str] | str) -> None:
    wanted = heard.split() if isinstance(heard, str) else heard
    assert words_played(WORDS, ms) == wanted


def test_words_are_compared_without_case_and_marks() -> None:
    assert word_errors("Good, bread", "good bread.") == 0
    assert word_errors("", "good bread") == 2
    assert word_errors("good", "") == 1
    assert word_errors("good red begins", "good bread begins here") == 2


def test_a_prefix_is_found_in_spite_of_misheard_words() -> None:
    text = "Good bread begins the evening before. You mix flour."
    assert prefix_spoken("good red begins the", text) == "Good bread begins the"
    assert prefix_spoken("", text) == ""


@pytest.mark.parametrize(
    ("rest", "by"),
    [
        ("the evening before. You", 0),
        ("begins the evening before", -1),
        ("before. You mix flour", 2),
        ("something else was said", None),
        ("", None),
    ],
)
def test_a_reply_that_goes_on_is_placed_in_the_whole(rest: str, by: int | None) -> None:
    full = "Good bread begins the evening before. You mix flour."
    assert continues(full, "Good bread begins", rest) == by


def test_first_and_last_words_are_looked_for_in_their_place() -> None:
    texts = ["Why do leaves turn?", "Where are you?"]
    assert edges_kept(texts, "why do leaves turn where are you") == [(True, True), (True, True)]
    assert edges_kept(texts, "do leaves turn where are") == [(False, True), (True, False)]
    assert edges_kept(texts, "") == [(False, False)] * 2


def test_a_word_that_is_wrong_alone_as_well_is_not_clipped() -> None:
    lost = Asked("g", "n", ["Where are you?"], ["are you"], ["where are you"])
    misheard = Asked("g", "n", ["Where are you?"], ["wear are you"], ["wear are you"])
    assert clipped([lost, misheard]) == (2, 1, 4)


def test_digits_are_the_same_as_words() -> None:
    assert digits("My number is five five, 5-one 20.") == "555120"


@pytest.mark.parametrize(
    ("heard", "well"),
    [
        ("Here is the plan: buy two apples for $3.50. Call home.", True),
        ("The plan. Two apples for three dollars and fifty cents. Call home.", True),
        ("Star star the plan. Two apples for $3.50. Call home.", False),
        ("The plan. Two apples. Call home.", False),
    ],
)
def test_markdown_is_read_well_if_all_of_its_words_and_no_signs_are_heard(
    heard: str, well: bool
) -> None:
    assert read_well(heard, READ, NOT_READ) == well


def probes() -> list[Probe]:
    return [
        Probe("a", "stop", "interruption", "Stop.", ended=True, stop_ms=400),
        Probe("a", "wait", "recorded", ended=False),
        Probe("a", "yeah", "backchannel", ended=True, silence_ms=700, resumed=True),
        Probe("a", "door", "noise"),
    ]


def test_precision_is_about_what_ended_and_recall_about_what_should() -> None:
    assert precision_recall(probes()) == (0.5, 0.5)
    assert precision_recall([]) == (None, None)


def test_the_heard_prefix_is_judged_by_position_and_by_sound() -> None:
    full = "Good bread begins the evening before."
    stopped = Probe("a", "stop", "interruption", ended=True, full=full, kept="Good bread")
    stopped.by_position, stopped.played = "Good bread begins", "good bread"
    untimed = Probe("a", "wait", "interruption", ended=True, full=full, kept="Good")
    untimed.played = "good bread begins"
    going = Probe("a", "door", "noise", full=full, kept="Good", by_position="")
    assert prefix_errors([stopped, untimed, going]) == ([1], [0, 2])


def test_what_a_server_counts_is_read_from_its_metrics() -> None:
    text = "# HELP x\nvivavoce_turns_total 3.0\nvivavoce_wasted_speech_seconds_total 1.5\nother 2\n"
    assert counted(text) == {
        "turns": 3.0,
        "abandoned": 0.0,
        "wasted_chars": 0.0,
        "wasted_seconds": 1.5,
    }


def test_the_summary_tells_all_that_was_found() -> None:
    counts = {"turns": 2.0, "abandoned": 1.0, "wasted_chars": 90.0, "wasted_seconds": 3.0}
    found = Found(
        probes=probes(),
        checks=[Check("echo", "room", passed=False, value="1 ended")],
        asked=[Asked("clipped", "n", ["Where are you?"], ["are you"], ["where are you"])],
        phantoms=[("Thanks for watching", "door")],
        noise_seconds=9.0,
        echo_seconds=8.0,
        echo_ends=1,
        metrics={"a": counts, "clipped": counts},
    )
    text = "\n".join(summary(found))
    for part in (
        "precision 50%, recall 50% (2 meant, 2 not); playback stopped after 400 ms (median)",
        "ended by mistake: 1, taken up again: 1, 700 ms of silence",
        "by echo: 1 in 8 s",
        "phantom messages: 1 in 9 s of noise; 'Thanks for watching' of door",
        "first and last words: 1 of 2 wrong, 1 of them right when heard alone",
        "a turn: 45 characters, 1.5 s of speech (4 turns)",
        "checks failed: 1 of 1\n  echo: room",
    ):
        assert part in text
    assert "== clipped\nsaid       Where are you?" in tables(found)
    assert summary(Found())  # nothing was played: nothing is claimed
    assert "interruptions" not in "\n".join(summary(Found()))


def test_each_scenario_is_told_to_have_passed_or_what_failed() -> None:
    found = Found(
        probes=[
            Probe("echo", "wait", "interruption", ended=False),
            Probe("backchannels", "yeah", "backchannel", ended=True, resumed=True),
            Probe("backchannels", "door", "noise", ended=True),
            Probe("typed", "typed 1", "typed", ended=True, kept="one two", by_position="one"),
        ],
        checks=[Check("tools", "then it is answered", passed=True)],
        phantoms=[("", "cough"), ("Thanks for watching", "door")],
        errors=["typed: it broke"],
        metrics={name: {} for name in ("echo", "backchannels", "typed", "tools", "phantoms")},
    )
    told = dict(re.split(r" {2,}", line, maxsplit=1) for line in scenarios(found))
    assert told == {
        "hears itself": "FAILED: wait did not end it",
        "mm-hm over a reply": "FAILED: door",
        "words nobody heard": "FAILED: 1 words, typed: it broke",
        "plays on after an interruption": "FAILED: typed: it broke",
        "silence and noise": "FAILED: 'Thanks for watching' of door",
        "typed over speech": "FAILED: typed: it broke",
        "silence while a tool runs": "passed",
    }
    assert {group for groups in SCENARIOS.values() for group in groups} == set(GROUPS)


def test_what_broke_off_is_told_without_its_wrapping() -> None:
    one, other = RuntimeError("no reply"), OSError("gone")
    assert leaves(ExceptionGroup("", [ExceptionGroup("", [one]), other])) == [one, other]


def test_every_group_is_explained() -> None:
    assert told is not None
    for name in GROUPS:
        assert f"\n  {name} " in told


# --- the language model


def test_the_language_model_says_what_it_is_given_and_tells_when() -> None:
    with scripted() as script:
        script.say(BRIEF, pace=0.0)
        body = json.dumps({"model": "script", "messages": []}).encode()
        request = urllib.request.Request(f"{script.url}/chat/completions", body)
        with urllib.request.urlopen(request, timeout=10) as answer:
            lines = [line[6:] for line in answer.read().decode().split("\n") if line]
    assert lines[-1] == "[DONE]"
    parts = [json.loads(line)["choices"][0]["delta"].get("content", "") for line in lines[:-1]]
    assert "".join(parts) == BRIEF[0]
    assert len(script.given[0].words) == len(BRIEF[0].split())
    assert script.meant("Yes, I") == BRIEF[0]
    assert script.meant("think so.") == "think so."
    assert script.meant("No") is None
    assert script.meant("") is None
    assert script.words_after("think so.", script.given[0].words[1]) == 2


def test_the_language_model_uses_a_tool_once() -> None:
    tool = {"type": "function", "function": {"name": "look_up"}}
    with scripted() as script:
        script.say(BRIEF, pace=0.0)
        answers = []
        for role in ("user", "tool"):
            body = json.dumps({"tools": [tool], "messages": [{"role": role}]}).encode()
            request = urllib.request.Request(f"{script.url}/chat/completions", body)
            with urllib.request.urlopen(request, timeout=10) as answer:
                answers.append(answer.read().decode())
    assert '"name": "look_up"' in answers[0]
    assert "tool_calls" not in answers[1]
    assert len(script.given) == 1


def test_no_two_replies_can_be_mistaken_for_each_other() -> None:
    beginnings = {text[:40] for text in (*LONG, *SHORT, *BRIEF)}
    assert len(beginnings) == len(LONG) + len(SHORT) + len(BRIEF)
    assert all(len(text.split()) >= 100 for text in LONG)


# --- the client

Talk = Callable[[ServerConnection, list[Any]], Coroutine[Any, Any, None]]
Look = Callable[[Call], Awaitable[None]]


def read(message: str | bytes) -> Any:
    return frames.decode(message) if isinstance(message, bytes) else json.loads(message)


async def conversation(talk: Talk, look: Look, **how: Any) -> list[Any]:
    """Run a client against a server of one connection; what the server was sent."""
    sent: list[Any] = []
    spoken: Any = None if how.get("plain") else [frames.SUBPROTOCOL]

    async def listen(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                sent.append(read(await socket.recv()))

    async def attend(socket: ServerConnection) -> None:
        listening = asyncio.create_task(listen(socket))
        await send(socket, {"type": "session.created"}, {"type": "session.updated"})
        talking = asyncio.create_task(talk(socket, sent))
        await listening  # until the client hangs up
        talking.cancel()

    async with (
        asyncio.timeout(30),
        serve(attend, "127.0.0.1", 0, subprotocols=spoken) as server,
    ):
        port = server.sockets[0].getsockname()[1]
        async with calling(f"ws://127.0.0.1:{port}", room_tone(0.1), **how) as call:
            await look(call)
    return sent


def events(plain: bool) -> list[Any]:
    """A reply of a second, as the server begins it."""
    turn = {} if plain else {"turn": 4}
    pcm = int16_from_pcm(ramp(RATE))
    audio: Any = frames.encode(frames.REPLY, 4, pcm)
    if plain:
        delta = base64.b64encode(pcm).decode()
        audio = {"type": "response.output_audio.delta", "item_id": "i", "delta": delta}
    item = {"id": "i", "type": "message"}
    return [
        {"type": "response.created", "response": {"id": "r"}, **turn},
        {"type": "response.output_item.added", "response_id": "r", "item": item, **turn},
        {"type": "response.output_audio_transcript.delta", "item_id": "i", "delta": "Good", **turn},
        audio,
    ]


async def send(socket: ServerConnection, *messages: Any) -> None:
    for message in messages:
        await socket.send(message if isinstance(message, bytes) else json.dumps(message))


def kinds(sent: list[Any]) -> list[str]:
    return [event["type"] for event in sent if isinstance(event, dict)]


async def test_our_client_plays_softly_and_then_stops_where_it_says() -> None:
    async def talk(socket: ServerConnection, sent: list[Any]) -> None:
        await send(socket, *events(plain=False))
        while "output_audio_buffer.played" not in kinds(sent):
            await asyncio.sleep(0.01)
        await send(socket, {"type": "input_audio_buffer.speech_started", "item_id": "u"})
        await asyncio.sleep(0.1)
        done = {"type": "response.done", "response": {"id": "r", "status": "cancelled"}, "turn": 4}
        cleared = {"type": "output_audio_buffer.cleared", "response_id": "r", "turn": 4}
        await send(socket, done, cleared, frames.encode(frames.REPLY, 4, bytes(960)))

    async def look(call: Call) -> None:
        assert await call.until(lambda: any(r.stale for r in call.replies.values()), 10)
        assert call.speaker.sounding is None
        assert call.ducked >= BLOCK
        assert call.active is None
        found = call.replies["i"]
        assert (found.status, found.text, found.stale) == ("cancelled", "Good", 480)
        assert found.stopped is not None
        await call.until(lambda: False, 0.1)

    sent = await conversation(talk, look)
    played = [event for event in sent if isinstance(event, dict) and "audio_end_ms" in event]
    heard = pcm_from_int16(sent[1].payload)
    assert isinstance(sent[1], frames.Frame)
    assert len(heard) == BLOCK
    assert played[-1]["type"] == "output_audio_buffer.played"
    assert 250 <= played[-1]["audio_end_ms"] < 1000
    assert not played[-1]["done"]
    assert "conversation.item.truncate" not in kinds(sent)


async def test_a_plain_client_stops_when_speech_starts_and_truncates() -> None:
    async def talk(socket: ServerConnection, sent: list[Any]) -> None:
        await send(socket, *events(plain=True))
        while kinds(sent).count("input_audio_buffer.append") < 20:
            await asyncio.sleep(0.01)
        await send(socket, {"type": "input_audio_buffer.speech_started", "item_id": "u"})

    async def look(call: Call) -> None:
        assert await call.until(lambda: "i" in call.replies and call.replies["i"].stopped, 10)
        await call.until(lambda: False, 0.1)

    sent = await conversation(talk, look, plain=True)
    (cut,) = [e for e in sent if e["type"] == "conversation.item.truncate"]
    assert cut["item_id"] == "i"
    assert 0 < cut["audio_end_ms"] < 1000
    assert "output_audio_buffer.played" not in kinds(sent)


async def test_typing_stops_the_reply_first_and_an_unknown_item_has_no_text() -> None:
    async def talk(socket: ServerConnection, sent: list[Any]) -> None:
        await send(socket, *events(plain=False))
        while "response.cancel" not in kinds(sent):
            await asyncio.sleep(0.01)
        done = {"type": "response.done", "response": {"id": "r", "status": "cancelled"}, "turn": 4}
        await send(socket, done)
        while "conversation.item.retrieve" not in kinds(sent):
            await asyncio.sleep(0.01)
        (asked,) = [e for e in sent if isinstance(e, dict) and "event_id" in e]
        error = {
            "code": "item_retrieve_invalid_item_id",
            "message": "",
            "event_id": asked["event_id"],
        }
        await send(socket, {"type": "error", "error": error})

    async def look(call: Call) -> None:
        assert await call.until(lambda: call.speaker.audible, 10)
        await call.type("Go on.")
        assert call.speaker.sounding is None
        assert await call.show("i") is None
        assert call.errors == []

    sent = await conversation(talk, look)
    order = [kind for kind in kinds(sent) if not kind.startswith("output_audio")]
    assert order == [
        "session.update",
        "response.cancel",
        "conversation.item.truncate",
        "conversation.item.create",
        "response.create",
        "conversation.item.retrieve",
    ]
