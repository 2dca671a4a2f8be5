"""Speech over replies, and what users of voice assistants complain of, under virtual time.

Scripted engines, the real session. The same on real sound: `bench/conversation.py`.
"""

from __future__ import annotations

import pytest

from tests.scripted.script import PTT, QUESTION, Log, Script, asked, roles
from voice.protocol import server as wire

WORDS = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen."


def test_speech_over_a_reply_stops_it_and_what_is_behind_it() -> None:
    long = " ".join(f"Sentence number {n} goes on and on." for n in range(40))
    log = (
        Script()
        .says(0.5, 2.1, QUESTION)
        .answers(long, per_word=0.05)
        .answers("All right.")
        .says(5.0, 6.2, "And what about Italy?")
        .lasts(12.0)
        .play()
    )
    first, second = log.of(wire.ResponseDone)
    assert first.response.status == "cancelled"
    assert first.response.status_details.reason == "turn_detected"
    assert second.response.status == "completed"
    cleared = log.when(wire.OutputCleared)
    assert 5.0 < cleared < 5.7  # looked at after 0.3 s, understood 0.15 s later
    assert log.llm_closed[0] < 5.7
    cancelled = first.response.id
    late = [
        event for at, event in log.events if isinstance(event, wire.AudioDelta) and at > cleared
    ]
    assert all(event.response_id != cancelled for event in late)
    assert roles(log)[-2:] == [("user", "And what about Italy?"), ("assistant", "All right.")]


def test_history_keeps_only_what_was_heard() -> None:
    log = (
        Script()
        .says(0.5, 2.1, QUESTION)
        .answers("One two three four five six seven eight nine ten eleven twelve.")
        .answers("Sorry.")
        .says(4.0, 5.0, "Wait, what?")
        .lasts(9.0)
        .play()
    )
    started = log.when(wire.AudioDelta)
    cleared = log.when(wire.OutputCleared)
    heard = roles(log)[1][1]
    words = len((heard or "").split())
    assert abs(words - (cleared - started) / 0.3) <= 1
    assert "[the user interrupted here]" in log.prompts[-1][-2].text


def test_played_reports_correct_the_memory_to_the_word() -> None:
    def played(log: Log) -> dict[str, object]:
        item = log.of(wire.AudioDelta)[0].item_id
        return {"type": "output_audio_buffer.played", "item_id": item, "audio_end_ms": 700}

    log = (
        Script()
        .says(0.5, 2.1, QUESTION)
        .answers("One two three four five six seven eight nine ten eleven twelve.")
        .answers("Sorry.")
        .says(4.0, 5.0, "Wait, what?")
        .does(4.4, played)
        .lasts(9.0)
        .play()
    )
    assert roles(log)[1] == ("assistant", "One two")


def test_truncate_by_another_client_keeps_the_heard_words() -> None:
    def truncate(log: Log) -> dict[str, object]:
        item = log.of(wire.AudioDelta)[0].item_id
        return {"type": "conversation.item.truncate", "item_id": item, "audio_end_ms": 950}

    def too_far(log: Log) -> dict[str, object]:
        return {**truncate(log), "audio_end_ms": 10_000_000}

    log = (
        Script()
        .plain()
        .says(0.5, 2.1, QUESTION)
        .answers("One two three four five.")
        .does(7.0, truncate)
        .does(7.1, too_far)
        .play()
    )
    assert roles(log)[1] == ("assistant", "One two three")
    assert log.of(wire.ItemTruncated)[0].audio_end_ms == 950
    assert log.of(wire.ErrorEvent)[0].error.param == "audio_end_ms"


def test_a_short_sound_over_a_reply_is_let_pass() -> None:
    log = (
        Script()
        .says(0.5, 2.1, QUESTION)
        .answers(" ".join(["word"] * 30) + ".")
        .says(4.0, 4.1, "hm")
        .lasts(14.0)
        .play()
    )
    assert log.of(wire.ResponseDone)[0].response.status == "completed"
    assert log.count(wire.OutputCleared) == 0
    assert len(roles(log)) == 2


def test_interrupt_response_false_lets_the_reply_end_and_answers_after() -> None:
    vad = {"type": "semantic_vad", "interrupt_response": False}
    log = (
        Script()
        .configured({"audio": {"input": {"transcription": {}, "turn_detection": vad}}})
        .says(0.5, 2.0, QUESTION)
        .answers(" ".join(["word."] * 12), per_word=0.2)
        .answers("Second.")
        .says(3.2, 4.2, "And Italy?")
        .lasts(12)
        .play()
    )
    assert [r.response.status for r in log.of(wire.ResponseDone)] == ["completed", "completed"]
    assert asked(log)[-1] == "And Italy?"


def test_speech_over_a_reply_does_not_cancel_under_push_to_talk() -> None:
    log = (
        Script()
        .configured(PTT)
        .says(0.5, 1.5, "Hello?")
        .sends(1.6, type="input_audio_buffer.commit")
        .sends(1.6, type="response.create")
        .answers(" ".join(["word"] * 20) + ".")
        .says(3.0, 5.0, "noise")
        .play()
    )
    assert [r.response.status for r in log.of(wire.ResponseDone)] == ["completed"]


def heard(log: Log) -> str:
    """All that replies said, as far as the conversation has it."""
    return " ".join(text for role, text in roles(log) if role == "assistant" and text)


@pytest.mark.parametrize("said", ["Mm-hm.", "Right.", "Yeah, okay.", ""])
def test_a_backchannel_does_not_kill_the_reply(said: str) -> None:
    log = Script().says(0.5, 2.1, QUESTION).answers(WORDS).says(4.0, 4.5, said).lasts(12).play()
    assert [r.response.status for r in log.of(wire.ResponseDone)] == ["completed"]
    assert log.count(wire.OutputCleared) == 0
    assert roles(log) == [("user", QUESTION), ("assistant", WORDS)]
    assert log.count(wire.SpeechStarted) == log.count(wire.SpeechStopped) == 2


@pytest.mark.parametrize(
    ("per_word", "hums_until", "short"), [(0.05, 5.8, False), (0.25, 9.0, True)]
)
def test_nothing_is_synthesised_while_it_is_found_out_what_is_said_unless_speech_runs_short(
    per_word: float, hums_until: float, *, short: bool
) -> None:
    sentences = " ".join(f"Sentence number {n} goes on and on." for n in range(20))
    log = (
        Script()
        .says(0.5, 2.1, QUESTION)
        .answers(sentences, per_word=per_word)
        .says(5.0, hums_until, "mm-hm")
        .lasts(hums_until + 4.0)
        .play()
    )
    spoken = [at for at, event in log.events if isinstance(event, wire.AudioDelta)]
    begins, ends = log.when(wire.SpeechStarted, 1), log.when(wire.SpeechStopped, 1)
    assert any(begins + 0.1 < at < ends for at in spoken) is short
    assert any(at >= ends for at in spoken)


def test_other_clients_hear_nothing_of_a_backchannel() -> None:
    script = Script().plain().says(0.5, 2.1, QUESTION).answers(WORDS).says(4.0, 4.5, "Mm-hm.")
    log = script.lasts(12).play()
    assert log.count(wire.SpeechStarted) == log.count(wire.SpeechStopped) == 1
    assert roles(log) == [("user", QUESTION), ("assistant", WORDS)]


def test_other_clients_are_told_of_an_interruption_in_the_usual_order() -> None:
    script = Script().plain().says(0.5, 2.1, QUESTION).answers(WORDS, per_word=0.3)
    log = script.answers("Rome.").says(4.0, 5.5, "And what about Italy?").play()
    types = log.types()
    second = [i for i, name in enumerate(types) if name.endswith("speech_started")][1]
    cancelled = types.index("response.done")
    assert second < cancelled < types.index("input_audio_buffer.committed", second)
    assert roles(log)[-1] == ("assistant", "Rome.")


@pytest.mark.parametrize("extended", [True, False])
def test_after_a_false_interruption_there_is_no_dead_air(extended: bool) -> None:
    script = Script(turn={"interrupt_speaking": "high"})
    script.extended = extended
    log = script.says(0.5, 2.1, QUESTION).answers(WORDS).says(4.0, 4.5, "Mm-hm.").lasts(16).play()
    assert log.count(wire.ResponseCreated) == log.count(wire.ResponseDone) == 2
    assert log.count(wire.OutputCleared) == int(extended)
    assert heard(log) == WORDS
    assert len(log.prompts) == 1
    assert [role for role, _ in roles(log)] == ["user", "assistant", "assistant"]


def test_a_reply_that_was_cut_while_it_was_made_is_finished_by_the_model() -> None:
    log = (
        Script(turn={"interrupt_speaking": "high"}, tts={"lead_seconds": 1})
        .says(0.5, 2.1, QUESTION)
        .answers("One two three four. Five six seven eight. Nine ten eleven twelve.", per_word=0.4)
        .answers("And the rest.")
        .says(6.0, 6.5, "Mm-hm.")
        .lasts(20)
        .play()
    )
    assert heard(log).startswith("One two three four.")
    assert heard(log).endswith("And the rest.")
    again = log.prompts[-1]
    assert [message.role for message in again[-2:]] == ["assistant", "user"]
    assert "go on" in again[-1].text
    assert "interrupted" not in again[-2].text
    assert again[-2].text.split() == heard(log).removesuffix("And the rest.").split()


def test_the_reply_that_goes_on_is_not_called_interrupted_later() -> None:
    log = (
        Script(turn={"interrupt_speaking": "high"})
        .says(0.5, 2.1, QUESTION)
        .answers(WORDS)
        .says(4.0, 4.5, "Mm-hm.")
        .says(12.0, 13.0, "Thanks, and Italy?")
        .answers("Rome.")
        .play()
    )
    assert "interrupted" not in "".join(message.text for message in log.prompts[-1])


@pytest.mark.parametrize("said", ["Stop.", "Wait, wait.", "Okay, stop."])
def test_a_command_to_stop_is_obeyed_in_silence(said: str) -> None:
    log = Script().says(0.5, 2.1, QUESTION).answers(WORDS).says(4.0, 4.8, said).lasts(12).play()
    assert log.when(wire.OutputCleared) < 4.8
    assert log.count(wire.ResponseCreated) == 1
    assert roles(log)[-1] == ("user", said)


def test_a_cough_while_the_model_thinks_costs_nothing() -> None:
    log = (
        Script(turn={"reopen_ms": 0})
        .says(0.5, 2.1, QUESTION)
        .answers("Paris.", ttft=2.0)
        .says(3.2, 3.6, "")
        .lasts(12)
        .play()
    )
    assert heard(log) == "Paris."
    assert roles(log)[0] == ("user", QUESTION)


def test_the_assistant_does_not_interrupt_itself() -> None:
    echo = "three four five six"
    log = Script().says(0.5, 2.1, QUESTION).answers(WORDS).says(4.0, 5.5, echo).lasts(12).play()
    assert roles(log) == [("user", QUESTION), ("assistant", WORDS)]


def test_typed_text_interrupts_speech_and_joins_the_conversation() -> None:
    item = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "Never mind. And Italy?"}],
    }

    def truncate(log: Log) -> dict[str, object]:
        item = log.of(wire.AudioDelta)[0].item_id
        return {"type": "conversation.item.truncate", "item_id": item, "audio_end_ms": 950}

    log = (
        Script()
        .says(0.5, 2.1, QUESTION)
        .answers(WORDS)
        .answers("Rome.")
        .does(4.0, truncate)
        .sends(4.0, type="conversation.item.create", item=item)
        .sends(4.0, type="response.create")
        .play()
    )
    assert roles(log)[2:] == [("user", "Never mind. And Italy?"), ("assistant", "Rome.")]
    assert "[the user interrupted here]" in log.prompts[-1][-2].text


def test_nobody_is_cut_off_in_a_phone_number() -> None:
    script = Script().says(0.5, 2.0, "My number is 555 01").says(2.8, 4.0, "99 22.")
    log = script.answers("I have noted it.").play()
    assert roles(log) == [
        ("user", "My number is 555 01 99 22."),
        ("assistant", "I have noted it."),
    ]


def test_the_turn_ends_in_noise() -> None:
    script = Script(stt={"partial_ms": 300}, turn={"noise_seconds": 5})
    log = script.says(0.5, 60.0, "").answers("-").lasts(60).play()
    assert log.count(wire.BufferCommitted) == 0
    assert log.count(wire.ResponseCreated) == 0
    assert len(log.transcribed) < 40  # a look every 3 s, more at the beginning


def test_silence_while_a_tool_runs_is_excused_once() -> None:
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
    turns = {"input": {"transcription": {}, "turn_detection": {"type": "semantic_vad"}}}

    def output(log: Log) -> dict[str, object]:
        call = log.of(wire.ArgumentsDone)[0].call_id
        item = {"type": "function_call_output", "call_id": call, "output": '{"celsius": 21}'}
        return {"type": "conversation.item.create", "item": item}

    def slow(wait: int) -> Log:
        return (
            Script(turn={"tool_wait_ms": wait})
            .configured({"audio": turns, "tools": [tool]})
            .says(0.5, 2.1, "What is the weather?")
            .calls("weather", "{}")
            .answers("It is warm.")
            .does(12.0, output)
            .sends(12.0, type="response.create")
            .lasts(18)
            .play()
        )

    log = slow(3000)
    assert log.spoken == "One moment, please.It is warm."
    assert heard(log) == "It is warm."
    assert 4.5 < log.when(wire.AudioDelta) < 7.0
    assert slow(0).spoken == slow(30_000).spoken == "It is warm."


def test_a_request_during_the_excuse_waits_for_its_end() -> None:
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
    item = {"type": "function_call_output", "call_id": "call_1", "output": "21"}
    log = (
        Script(turn={"tool_wait_ms": 1000})
        .configured({"tools": [tool], "audio": {"input": {"turn_detection": None}}})
        .sends(0.5, type="response.create")
        .calls("weather", "{}")
        .answers("It is warm.")
        .sends(1.7, type="conversation.item.create", item=item)
        .sends(1.7, type="response.create", response={"instructions": "Be warm."})
        .sends(1.8, type="response.create")
        .lasts(8)
        .play()
    )
    # One reply may be waited for, as it was asked for; a second one is refused.
    codes = [event.error.code for event in log.of(wire.ErrorEvent)]
    assert codes == ["conversation_already_has_active_response"]
    assert "Be warm." in log.prompts[-1][0].text
    assert log.spoken == "One moment, please.It is warm."


def test_a_long_silence_is_asked_into_if_that_is_wanted() -> None:
    vad = {"type": "server_vad", "idle_timeout_ms": 5000}
    log = (
        Script()
        .configured({"audio": {"input": {"transcription": {}, "turn_detection": vad}}})
        .says(0.5, 2.1, QUESTION)
        .answers("Paris.")
        .answers("Are you still there?")
        .lasts(40)
        .play()
    )
    (timeout,) = log.of(wire.TimeoutTriggered)
    assert timeout.audio_end_ms - timeout.audio_start_ms == pytest.approx(5000, abs=100)
    assert heard(log) == "Paris. Are you still there?"
    assert roles(log)[2] == ("user", "")
    assert "said nothing" in asked(log)[-1]
    types = log.types()
    assert types.index("input_audio_buffer.timeout_triggered") < types.index(
        "response.created", types.index("response.done")
    )
