"""Whole sessions under virtual time: scripted engines, the real session, dialog and reply."""

from __future__ import annotations

import pytest

from tests.scripted.script import (
    ANSWER,
    LLM_DROPPED,
    PTT,
    QUESTION,
    SERVER_VAD,
    Log,
    Script,
    roles,
)
from voice.protocol import server as wire


def test_hands_free_question_is_answered_in_documented_order() -> None:
    log = Script().says(0.5, 2.1, QUESTION).answers(ANSWER).play()
    order = [
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.words",
        "response.output_audio.delta",
    ]
    assert log.types()[: len(order)] == order
    assert log.types()[-6:] == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    assert roles(log) == [("user", QUESTION), ("assistant", ANSWER)]
    assert log.spoken == ANSWER


def test_speculation_hides_the_model_behind_the_silence() -> None:
    slow = {"ttft": 0.25}
    ahead = Script().says(0.5, 2.1, QUESTION).answers(ANSWER, **slow).believes(0.5).play()
    behind = (
        Script(turn={"speculation": "off"})
        .says(0.5, 2.1, QUESTION)
        .answers(ANSWER, **slow)
        .believes(0.5)
        .play()
    )
    assert ahead.when(wire.AudioDelta) < behind.when(wire.AudioDelta) - 0.4
    # Prepared in the pause, it leaves with the commit and not before.
    assert ahead.when(wire.AudioDelta) >= ahead.when(wire.BufferCommitted)
    assert ahead.when(wire.AudioDelta) - ahead.when(wire.BufferCommitted) < 0.05


def test_a_pause_that_goes_on_leaves_no_trace() -> None:
    log = (
        Script()
        .says(0.5, 1.5, "I would like")
        .says(1.9, 3.0, "a cup of tea.")
        .answers("Here is your tea.")
        .believes(0.3)
        .play()
    )
    assert log.transcribed[0] == "I would like"
    assert roles(log) == [
        ("user", "I would like a cup of tea."),
        ("assistant", "Here is your tea."),
    ]
    assert log.count(wire.ResponseCreated) == 1
    assert log.count(wire.SpeechStarted) == 1


@pytest.mark.parametrize(
    ("level", "asks", "speaks"), [("stt", 0, 0), ("llm", 1, 0), ("tts", 1, 1), ("off", 0, 0)]
)
def test_speculation_stops_where_it_is_told(level: str, asks: int, speaks: int) -> None:
    log = (
        Script(turn={"speculation": level})
        .says(0.5, 1.5, "I would like")
        .says(2.2, 12.0, "to talk for a long time")
        .answers("Yes, of course.")
        .believes(0.1)
        .lasts(11.0)
        .play()
    )
    assert len(log.prompts) == asks
    assert bool(log.synthesized) == bool(speaks)
    assert log.count(wire.ResponseCreated) == 0


def test_speech_that_resumes_before_the_reply_is_heard_reopens_the_turn() -> None:
    log = (
        Script()
        .says(0.5, 1.5, "Book a table.")
        .says(2.1, 3.2, "For two.")
        .answers("Done.", ttft=1.0)
        .believes(0.99)
        .play()
    )
    assert roles(log) == [("user", "Book a table. For two."), ("assistant", "Done.")]
    assert log.count(wire.ItemDeleted) == 1
    assert log.count(wire.SpeechStarted) == 2


def test_push_to_talk_goes_on_release_and_not_before() -> None:
    log = (
        Script()
        .configured(PTT)
        .sends(0.4, type="input_audio_buffer.clear")
        .says(0.5, 1.5, "What is")
        .says(3.5, 4.5, "the time?")
        .sends(4.6, type="input_audio_buffer.commit")
        .sends(4.6, type="response.create")
        .answers("Noon.")
        .play()
    )
    assert log.count(wire.SpeechStarted) == 0
    assert log.when(wire.BufferCommitted) == pytest.approx(4.6, abs=0.05)
    assert roles(log) == [("user", "What is the time?"), ("assistant", "Noon.")]


def test_push_to_talk_is_prepared_in_the_last_pause() -> None:
    def scenario(speculation: str) -> Log:
        return (
            Script(turn={"speculation": speculation})
            .configured(PTT)
            .sends(0.4, type="input_audio_buffer.clear")
            .says(0.5, 1.5, "What is the time?")
            .sends(2.6, type="input_audio_buffer.commit")
            .sends(2.6, type="response.create")
            .answers("Noon.")
            .play()
        )

    assert scenario("tts").when(wire.AudioDelta) < scenario("off").when(wire.AudioDelta) - 0.3


def test_a_tap_without_speech_does_nothing() -> None:
    log = (
        Script()
        .configured(PTT)
        .sends(0.5, type="input_audio_buffer.clear")
        .sends(1.0, type="input_audio_buffer.commit")
        .sends(1.0, type="response.create")
        .answers("I should not speak.")
        .lasts(3.0)
        .play()
    )
    assert log.count(wire.AudioDelta) == 0
    assert log.prompts == []
    assert log.of(wire.ResponseDone)[0].response.output == []
    added, gone = log.of(wire.ItemAdded)[0], log.of(wire.ItemDeleted)[0]
    assert gone.item_id == added.item.id
    assert roles(log) == []


def test_a_commit_of_too_little_audio_is_refused() -> None:
    log = (
        Script()
        .configured(PTT)
        .sends(0.5, type="input_audio_buffer.clear")
        .sends(0.5, type="input_audio_buffer.commit", event_id="mine")
        .answers("-")
        .lasts(1.0)
        .play()
    )
    error = log.of(wire.ErrorEvent)[0].error
    assert (error.code, error.event_id) == ("input_audio_buffer_commit_empty", "mine")


def typed(text: str) -> dict[str, object]:
    part = {"type": "input_text", "text": text}
    return {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [part]},
    }


def test_typed_text_is_answered_in_text() -> None:
    log = (
        Script()
        .configured({"output_modalities": ["text"], "audio": {"input": {"turn_detection": None}}})
        .sends(0.5, **typed("Hi."))
        .sends(0.5, type="response.create")
        .answers("Hello to you.")
        .lasts(3.0)
        .play()
    )
    assert log.count(wire.AudioDelta) == 0
    assert "".join(e.delta for e in log.of(wire.TextDelta)) == "Hello to you."
    assert roles(log) == [("user", "Hi."), ("assistant", "Hello to you.")]


def test_a_second_response_is_refused_while_one_is_made_and_cancel_ends_it() -> None:
    log = (
        Script()
        .configured(PTT)
        .sends(0.5, **typed("Hi."))
        .sends(0.5, type="response.create")
        .sends(1.0, type="response.create", event_id="again")
        .sends(1.5, type="response.cancel")
        .sends(2.0, type="response.cancel", event_id="late")
        .answers(" ".join(["word."] * 50), per_word=0.1)
        .lasts(4.0)
        .play()
    )
    codes = [(e.error.code, e.error.event_id) for e in log.of(wire.ErrorEvent)]
    assert codes == [
        ("conversation_already_has_active_response", "again"),
        ("response_cancel_not_active", "late"),
    ]
    done = log.of(wire.ResponseDone)[0].response
    assert done.status_details.reason == "client_cancelled"


def test_a_function_call_is_sent_and_its_output_answered() -> None:
    tool = {"type": "function", "name": "clock", "parameters": {"type": "object"}}

    def output(log: Log) -> dict[str, object]:
        call = log.of(wire.ArgumentsDone)[0]
        item = {"type": "function_call_output", "call_id": call.call_id, "output": '"noon"'}
        return {"type": "conversation.item.create", "item": item}

    log = (
        Script()
        .configured({"tools": [tool], "audio": {"input": {"turn_detection": None}}})
        .sends(0.5, **typed("What time is it?"))
        .sends(0.5, type="response.create")
        .calls("clock", "{}")
        .does(1.5, output)
        .sends(1.6, type="response.create")
        .answers("It is noon.")
        .play()
    )
    assert log.of(wire.ArgumentsDone)[0].name == "clock"
    assert log.prompts[-1][-1].role == "tool"
    assert log.spoken == "It is noon."


@pytest.mark.parametrize("after", ["", "Let me think about"])
def test_a_model_that_breaks_ends_the_response_as_failed(after: str) -> None:
    log = (
        Script()
        .says(0.5, 2.0, QUESTION)
        .breaks(LLM_DROPPED, after)
        .answers("Now it works.")
        .says(5.0, 6.0, "Again?")
        .play()
    )
    first, second = log.of(wire.ResponseDone)
    assert first.response.status == "failed"
    assert first.response.status_details.error["code"] == "llm_dropped"
    assert second.response.status == "completed"


def test_failed_recognition_is_told_and_the_session_goes_on() -> None:
    log = Script().says(0.5, 2.0, QUESTION).recognises(fails=True).answers("-").play()
    assert log.count(wire.TranscriptionFailed) + log.count(wire.TranscriptionCompleted) >= 1
    assert log.count(wire.ResponseCreated) == 0


def test_server_vad_waits_for_its_silence() -> None:
    log = Script().configured(SERVER_VAD).says(0.5, 2.0, QUESTION).answers(ANSWER).play()
    assert log.when(wire.BufferCommitted) == pytest.approx(2.5, abs=0.08)


def test_create_response_false_only_transcribes() -> None:
    vad = {"type": "server_vad", "create_response": False}
    log = (
        Script()
        .configured({"audio": {"input": {"transcription": {}, "turn_detection": vad}}})
        .says(0.5, 2.0, QUESTION)
        .answers(ANSWER)
        .play()
    )
    assert log.count(wire.ResponseCreated) == 0
    assert log.of(wire.TranscriptionCompleted)[0].transcript == QUESTION


def test_a_transcription_session_never_replies() -> None:
    vad = {"type": "server_vad"}
    log = (
        Script()
        .plain()
        .configured(
            {
                "type": "transcription",
                "audio": {"input": {"transcription": {}, "turn_detection": vad}},
            }
        )
        .says(0.5, 2.0, QUESTION)
        .answers(ANSWER)
        .sends(5.0, type="response.create")
        .play()
    )
    assert log.of(wire.TranscriptionCompleted)[0].transcript == QUESTION
    assert log.of(wire.ErrorEvent)[0].error.code == "invalid_session_type"
    assert log.prompts == []


def test_noise_that_never_ends_is_cut_at_the_limit() -> None:
    log = Script(turn={"max_seconds": 10.0}).says(0.5, 40.0, "zzz").answers("-").lasts(30.0).play()
    assert log.when(wire.BufferCommitted) == pytest.approx(10.5, abs=0.5)


def test_a_minute_of_silence_says_nothing() -> None:
    log = Script().answers("-").lasts(60.0).play()
    assert log.types() == ["session.created", "session.updated"]


def test_extensions_go_only_to_clients_that_asked() -> None:
    log = Script().plain().says(0.5, 2.0, QUESTION).answers(ANSWER).play()
    assert not [event for _, event in log.events if isinstance(event, wire.EXTENSIONS)]


def test_an_ended_session_leaves_no_task() -> None:
    log = Script().says(0.5, 2.0, QUESTION).answers("word " * 500, per_word=0.2).lasts(3.0).play()
    assert log.session is not None
    assert log.llm_closed  # the generation was stopped with the session
    assert not log.session._work.busy


def test_partial_transcripts_come_while_speaking_and_add_up_to_the_final_one() -> None:
    text = "I would like to know what the capital of France is."
    log = Script().says(0.5, 6.0, text).answers(ANSWER).play()
    deltas = log.of(wire.TranscriptionDelta)
    assert log.when(wire.TranscriptionDelta) < 5.0
    assert "".join(event.delta for event in deltas) == text
    item = log.of(wire.SpeechStarted)[0].item_id
    assert {event.item_id for event in deltas} == {item}
    assert log.of(wire.TranscriptionCompleted)[0].transcript == text


def test_partial_transcripts_keep_to_their_share() -> None:
    def looks(share: float) -> int:
        script = Script(
            stt={"partial_share": share, "partial_ms": 100}, turn={"noise_seconds": 0}
        ).recognises(seconds=0.2)
        return len(script.says(0.5, 20.5, "word").answers("-").play().transcribed)

    assert looks(0.1) <= 1 + 20 / 2.0 + 1
    assert looks(0.4) > 2 * looks(0.1)


def test_no_partial_transcripts_when_switched_off() -> None:
    log = Script(stt={"partial_ms": 0}).says(0.5, 6.0, QUESTION).answers(ANSWER).play()
    assert log.when(wire.TranscriptionDelta) >= log.when(wire.BufferCommitted)


def test_a_long_turn_is_heard_once() -> None:
    """What was said before a pause is settled: the audio given to the recogniser stays short."""
    script = Script(turn={"max_seconds": 3600.0}, limits={"buffer_seconds": 3600.0}).believes(0.0)
    spoken = []
    for n in range(20):
        spoken.append(f"part {n}")
        script.says(0.5 + 7 * n, 7.1 + 7 * n, spoken[-1])
    log = script.answers("I see.").lasts(155.0).play()
    assert roles(log)[0] == ("user", " ".join(spoken))
    assert max(len(text.split()) for text in log.transcribed) <= 6


def test_the_language_model_reads_along() -> None:
    text = "I would like to know what the capital of France is."
    script = Script().says(0.5, 6.0, text).answers(ANSWER)
    log = script.play()
    assert log.expected
    assert all(text.startswith(words) for words in log.expected)
    assert log.expected == sorted(set(log.expected), key=len)


@pytest.mark.parametrize("level", ["off", "stt"])
def test_it_does_not_where_speculation_stops_before_it(level: str) -> None:
    script = Script(turn={"speculation": level}).says(0.5, 6.0, QUESTION)
    assert not script.answers(ANSWER).play().expected


def test_markdown_is_shown_as_it_grows() -> None:
    text = "\n".join(f"- **step {number}** of it" for number in range(40))
    written = (
        Script()
        .configured({"output_modalities": ["text"], "audio": {"input": {"turn_detection": None}}})
        .sends(0.5, type="response.create")
        .answers(text)
        .lasts(4)
        .play()
    )
    shown = written.of(wire.ItemRendered)
    assert len(shown) > 2
    assert shown[-1].html.count("<strong>") == 40
    assert [len(event.html) for event in shown] == sorted(len(event.html) for event in shown)
    assert shown[-1].item_id == written.of(wire.ResponseDone)[0].response.output[0].id

    spoken = Script().configured(PTT).sends(0.5, type="response.create").answers("It is *so*.")
    assert [event.html.strip() for event in spoken.lasts(6).play().of(wire.ItemRendered)] == [
        "<p>It is <em>so</em>.</p>"
    ]
    plain = Script().configured(PTT).sends(0.5, type="response.create").answers("It is so.")
    assert plain.lasts(6).play().count(wire.ItemRendered) == 0
