"""Speech over a reply: events in, actions out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.dialogs import PTT, SEMANTIC, S, answering, feed
from voice import events as ev
from voice.dialog import Dialog
from voice.events import Rev
from voice.overlap import UNHEARD

START = 5 * S
PREFIX = START - SEMANTIC.prefix
SUSPECT, OPEN = ev.Suspect(2, PREFIX), ev.OpenTurn(2, PREFIX)
CUT = ev.Cancel(Rev(1, 1), "turn_detected")


def spoken_over(dialog: Dialog, text: str, seconds: float = 0.5) -> list[ev.Action]:
    """Say `text` over the reply, and have it recognised after its end."""
    end = START + int(seconds * S)
    return feed(
        dialog,
        ev.SpeechStarted(START),
        ev.Elapsed(end),
        ev.SpeechPaused(end),
        ev.Transcribed(Rev(2, 1), text),
    )


def test_what_nobody_can_make_out_interrupts_by_its_length() -> None:
    dialog = answering()
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(START + S))
    assert feed(dialog, ev.Elapsed(START + UNHEARD)) == [OPEN, CUT]


@pytest.mark.parametrize("text", ["", "Mm-hm.", "Okay, I see.", "um"])
def test_a_backchannel_lets_the_reply_go_on(text: str) -> None:
    dialog = answering()
    actions = spoken_over(dialog, text)
    assert actions[-1] == ev.DropTurn(2, START + S // 2)
    assert CUT not in actions
    assert OPEN not in actions
    assert dialog.replying


def test_one_word_interrupts_when_it_is_over() -> None:
    dialog = answering()
    actions = spoken_over(dialog, "Tuesday.")
    assert actions[-4:-1] == [OPEN, CUT, ev.Respond(Rev(2, 1), held=True)]


def test_an_interruption_that_is_understood_late_needs_no_more_silence() -> None:
    dialog = answering(replace(SEMANTIC, detection="server_vad"))
    end = START + S // 2
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(end), ev.SpeechPaused(end))
    feed(dialog, ev.Elapsed(end + S))
    actions = feed(dialog, ev.Transcribed(Rev(2, 1), "What about tomorrow?"))
    assert actions == [
        OPEN,
        CUT,
        ev.Respond(Rev(2, 1), held=True),
        ev.Commit(Rev(2, 1), PREFIX, end),
        ev.Release(Rev(2, 1)),
    ]


def test_a_short_sound_is_not_even_recognised() -> None:
    dialog = answering()
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(START + 100))
    assert feed(dialog, ev.SpeechPaused(START + 100)) == [ev.DropTurn(2, START + 100)]
    assert dialog.replying


def looked_at_after(first: list[ev.Event], pause: float, *, lasted: float = 0.5) -> int:
    """Where a look begins at speech that follows the `first`, `lasted` seconds long, so soon."""
    dialog = answering()
    end = START + int(lasted * S)
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(min(end, START + S // 2)))
    feed(dialog, ev.Glanced(Rev(2, 0), ""), ev.Elapsed(end), ev.SpeechPaused(end), *first)
    again = end + int(pause * S)
    looked = again + S // 2
    glance = feed(dialog, ev.Elapsed(again), ev.SpeechStarted(again), ev.Elapsed(looked))[-1]
    assert isinstance(glance, ev.Glance)
    assert glance.end == looked
    return glance.start


@pytest.mark.parametrize("text", ["", "Koshi"])
def test_pieces_that_are_not_understood_are_heard_together(text: str) -> None:
    assert looked_at_after([ev.Transcribed(Rev(2, 1), text, -0.9)], 0.5) == PREFIX


def test_so_are_those_too_short_to_be_looked_at() -> None:
    assert looked_at_after([], 0.5, lasted=0.1) == PREFIX


@pytest.mark.parametrize(
    ("text", "pause", "lasted"),
    [("Mm-hm.", 0.5, 0.5), ("", 0.9, 0.5), ("", 0.5, 3.3)],
    ids=["understood", "late", "long"],
)
def test_other_pieces_are_heard_alone(text: str, pause: float, lasted: float) -> None:
    end, said = START + int(lasted * S), [ev.Transcribed(Rev(2, 1), text)]
    start = looked_at_after([*said], pause, lasted=lasted)
    assert start == max(end, end + int(pause * S) - SEMANTIC.prefix)


def test_what_was_let_pass_is_kept_as_long_as_it_may_go_on() -> None:
    dialog = answering()
    spoken_over(dialog, "")
    end = START + S // 2
    feed(dialog, ev.Elapsed(end + S // 2))
    assert dialog.wanted == PREFIX
    feed(dialog, ev.Elapsed(end + S))
    assert dialog.wanted == end


@pytest.mark.parametrize("text", ["", "Mm-hm."])
def test_a_reply_that_was_cut_for_nothing_is_taken_up_again(text: str) -> None:
    dialog = answering(replace(SEMANTIC, speaking="high"))
    feed(dialog, ev.SpeechStarted(START))
    assert feed(dialog, ev.Elapsed(START + SEMANTIC.interrupt)) == [OPEN, CUT]
    end = START + S // 2
    feed(dialog, ev.Elapsed(end), ev.SpeechPaused(end))
    assert feed(dialog, ev.Transcribed(Rev(2, 1), text)) == [
        ev.Abandon(Rev(2, 1)),
        ev.DropTurn(2, end),
        ev.Resume(Rev(3, 0), (Rev(1, 1),)),
    ]
    assert dialog.replying


def test_a_hesitation_is_given_time_before_the_reply_is_taken_up_again() -> None:
    dialog = answering(replace(SEMANTIC, speaking="high"))
    end = START + S // 2
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(end), ev.SpeechPaused(end))
    actions = feed(dialog, ev.Transcribed(Rev(2, 1), "Um,"))
    assert not any(isinstance(action, ev.Resume) for action in actions)
    late = feed(dialog, ev.Scored(Rev(2, 1), 0.9), ev.Elapsed(end + 4 * S))
    assert late[-1] == ev.Resume(Rev(3, 0), (Rev(1, 1),))
    assert not any(isinstance(action, ev.Commit) for action in late)


def test_words_after_a_hesitation_are_a_turn() -> None:
    dialog = answering(replace(SEMANTIC, speaking="high"))
    end = START + S // 2
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(end), ev.SpeechPaused(end))
    feed(dialog, ev.Transcribed(Rev(2, 1), "Um,"))
    feed(dialog, ev.SpeechStarted(end + S // 2), ev.Elapsed(end + S), ev.SpeechPaused(end + S))
    feed(dialog, ev.Transcribed(Rev(2, 2), "Um, what about tomorrow?"), ev.Scored(Rev(2, 2), 0.99))
    actions = feed(dialog, ev.Elapsed(end + 3 * S))
    assert actions[0] == ev.Commit(Rev(2, 2), PREFIX, end + S)
    assert actions[1] == ev.Release(Rev(2, 2))


def test_a_late_transcript_of_a_committed_backchannel_takes_the_reply_up_again() -> None:
    dialog = answering(replace(SEMANTIC, detection="server_vad", speaking="high"))
    end = START + S // 2
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(end), ev.SpeechPaused(end))
    assert isinstance(feed(dialog, ev.Elapsed(end + S))[0], ev.Commit)
    assert feed(dialog, ev.Transcribed(Rev(2, 1), "Yeah.")) == [ev.Resume(Rev(3, 0), (Rev(1, 1),))]


def test_a_command_to_stop_stops_and_is_not_answered() -> None:
    dialog = answering()
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(START + S // 2))
    assert feed(dialog, ev.Glanced(Rev(2, 0), "Stop")) == [OPEN, CUT]
    end = START + S * 6 // 10
    feed(dialog, ev.Elapsed(end), ev.SpeechPaused(end), ev.Transcribed(Rev(2, 1), "Stop."))
    actions = feed(dialog, ev.Scored(Rev(2, 1), 0.99), ev.Elapsed(end + 2 * S))
    assert actions == [ev.Commit(Rev(2, 1), PREFIX, end)]
    assert not dialog.replying


def test_audio_that_is_still_draining_can_be_interrupted() -> None:
    dialog = answering()
    feed(dialog, ev.ReplyEnded(Rev(1, 1)))
    assert CUT in spoken_over(dialog, "What about tomorrow?")


def test_yes_answers_the_question_a_reply_ends_with() -> None:
    dialog = answering()
    feed(dialog, ev.ReplyEnded(Rev(1, 1), asks=True), ev.Elapsed(8 * S))
    at = 8 * S
    feed(dialog, ev.SpeechStarted(at), ev.Elapsed(at + S // 2), ev.SpeechPaused(at + S // 2))
    actions = feed(dialog, ev.Transcribed(Rev(2, 1), "Yes."))
    assert CUT in actions
    assert ev.Respond(Rev(2, 1), held=True) in actions


def test_a_backchannel_that_outlasts_the_reply_is_still_none() -> None:
    dialog = answering()
    feed(dialog, ev.ReplyEnded(Rev(1, 1)), ev.Elapsed(9 * S - 100))
    feed(dialog, ev.SpeechStarted(9 * S - 100), ev.Elapsed(10 * S), ev.SpeechPaused(10 * S))
    assert feed(dialog, ev.Transcribed(Rev(2, 1), "Mm-hm."))[-1] == ev.DropTurn(2, 10 * S)


def test_a_voice_from_afar_needs_more_words() -> None:
    dialog = Dialog(SEMANTIC)
    feed(dialog, ev.SpeechStarted(S))
    feed(dialog, *(ev.Elapsed(S + 512 * n, 0, -20.0) for n in range(70)))
    feed(dialog, ev.SpeechPaused(4 * S), ev.Transcribed(Rev(1, 1), "Hello."))
    feed(dialog, ev.Elapsed(6 * S), ev.AudioSent(Rev(1, 1), 5 * S))
    feed(dialog, ev.SpeechStarted(7 * S))
    feed(dialog, *(ev.Elapsed(7 * S + 512 * n, 0, -40.0) for n in range(1, 20)))
    feed(dialog, ev.SpeechPaused(8 * S))
    assert isinstance(feed(dialog, ev.Transcribed(Rev(2, 1), "Tuesday."))[-1], ev.DropTurn)


def test_noise_is_no_endless_turn_and_hides_no_words() -> None:
    dialog = Dialog(SEMANTIC)
    feed(dialog, ev.SpeechStarted(S))
    for second in range(2, 14):
        feed(dialog, ev.Elapsed(second * S), ev.Overheard(Rev(1, 0), 1000, news=False))
        if not dialog.weighing:
            continue
        break
    assert dialog.weighing
    began = second * S
    feed(dialog, ev.Elapsed(began + S))
    assert feed(dialog, ev.Glanced(Rev(2, 0), "")) == []
    feed(dialog, ev.Elapsed(began + 3 * S))
    opened = feed(dialog, ev.Glanced(Rev(2, 0), "Hello, can you hear me"))
    assert [type(action) for action in opened] == [ev.OpenTurn]


def test_words_before_the_noise_are_answered() -> None:
    dialog = Dialog(SEMANTIC)
    feed(dialog, ev.SpeechStarted(S), ev.Elapsed(2 * S))
    feed(dialog, ev.Overheard(Rev(1, 0), 1000, news=True))
    actions: list[ev.Action] = []
    for second in range(3, 16):
        actions += feed(dialog, ev.Elapsed(second * S), ev.Overheard(Rev(1, 0), 1000, news=False))
    assert [type(action) for action in actions if isinstance(action, ev.Commit)] == [ev.Commit]


def test_silence_is_asked_into_once() -> None:
    policy = replace(SEMANTIC, idle=10 * S)
    dialog = answering(policy)
    feed(dialog, ev.ReplyEnded(Rev(1, 1)))
    assert feed(dialog, ev.Elapsed(19 * S - 1)) == []
    assert feed(dialog, ev.Elapsed(19 * S)) == [ev.Nudge(Rev(2, 0), 9 * S, 19 * S)]
    feed(dialog, ev.AudioSent(Rev(2, 0), S), ev.ReplyEnded(Rev(2, 0)))
    assert feed(dialog, ev.Elapsed(90 * S)) == []


@pytest.mark.parametrize("policy", [SEMANTIC, replace(PTT, idle=0)])
def test_without_a_setting_silence_stays_silent(policy: object) -> None:
    dialog = answering()
    feed(dialog, ev.ReplyEnded(Rev(1, 1)))
    assert feed(dialog, ev.Elapsed(900 * S)) == []


def test_a_slow_tool_is_excused_and_its_answer_follows() -> None:
    dialog = answering()
    feed(dialog, ev.ReplyEnded(Rev(1, 1)), ev.Elapsed(20 * S))
    assert feed(dialog, ev.ToolSlow()) == [ev.Fill(Rev(2, 0))]
    assert feed(dialog, ev.ResponseRequested()) == []  # not refused: it waits
    assert feed(dialog, ev.ReplyEnded(Rev(2, 0))) == [ev.Respond(Rev(3, 0), held=False)]


def test_nobody_is_talked_over_because_of_a_slow_tool() -> None:
    dialog = answering()
    feed(dialog, ev.ReplyEnded(Rev(1, 1)), ev.Elapsed(20 * S), ev.SpeechStarted(20 * S))
    assert feed(dialog, ev.ToolSlow()) == []


def test_a_reply_that_drains_under_another_is_interrupted_with_it() -> None:
    dialog = answering()  # the first one sounds until 9 s
    feed(dialog, ev.ReplyEnded(Rev(1, 1)), ev.ResponseRequested())
    feed(dialog, ev.AudioSent(Rev(2, 0), S), ev.Elapsed(5 * S), ev.SpeechStarted(5 * S))
    feed(dialog, ev.Elapsed(5 * S + S // 2))
    assert feed(dialog, ev.Glanced(Rev(3, 0), "What about"))[1:] == [
        CUT,
        ev.Cancel(Rev(2, 0), "turn_detected"),
    ]


def test_a_reply_sounds_after_the_one_before_it() -> None:
    dialog = answering()
    feed(dialog, ev.ReplyEnded(Rev(1, 1)), ev.ResponseRequested())
    feed(dialog, ev.AudioSent(Rev(2, 0), 2 * S), ev.ReplyEnded(Rev(2, 0)), ev.Elapsed(10 * S))
    assert isinstance(feed(dialog, ev.SpeechStarted(10 * S))[0], ev.Suspect)


def in_noise() -> Dialog:
    """The user asked something, and then a vacuum cleaner was switched on."""
    dialog = Dialog(SEMANTIC)
    feed(dialog, ev.SpeechStarted(S), ev.Elapsed(2 * S), ev.SpeechPaused(2 * S))
    feed(dialog, ev.Transcribed(Rev(1, 1), "What time is it in Paris?"))
    feed(dialog, ev.SpeechStarted(2 * S + S // 5))
    return dialog


def test_a_question_is_not_lost_in_the_noise_after_it_nor_its_answer() -> None:
    dialog = in_noise()
    actions: list[ev.Action] = []
    for second in range(3, 20):
        actions += feed(dialog, ev.Elapsed(second * S), ev.Overheard(Rev(1, 0), 1000, news=False))
    (commit,) = (action for action in actions if isinstance(action, ev.Commit))
    feed(dialog, ev.Transcribed(commit.rev, "What time is it in Paris?"))
    assert dialog.replying
    for second in range(20, 60):
        assert not any(
            isinstance(action, ev.Cancel) for action in feed(dialog, ev.Elapsed(second * S))
        )


def test_a_request_over_a_filler_outlives_a_cough() -> None:
    dialog = answering()
    feed(dialog, ev.ReplyEnded(Rev(1, 1), calls=True), ev.Elapsed(20 * S), ev.ToolSlow())
    feed(dialog, ev.ResponseRequested(), ev.SpeechStarted(20 * S), ev.Elapsed(20 * S + S // 2))
    assert not dialog.replying
    feed(dialog, ev.SpeechPaused(20 * S + S // 2), ev.Transcribed(Rev(3, 1), ""))
    feed(dialog, ev.Elapsed(30 * S), ev.Scored(Rev(3, 1), 0.9), ev.Elapsed(31 * S))
    assert dialog.replying


def test_a_reply_is_not_taken_up_again_over_another() -> None:
    dialog = answering(replace(SEMANTIC, speaking="high"))
    end = START + S // 2
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(end), ev.SpeechPaused(end))
    feed(dialog, ev.ResponseRequested())
    actions = feed(dialog, ev.Transcribed(Rev(2, 1), ""))
    assert not any(isinstance(action, ev.Resume) for action in actions)


def test_a_called_function_is_not_taken_back() -> None:
    dialog = Dialog(SEMANTIC)
    feed(dialog, ev.SpeechStarted(S), ev.Elapsed(2 * S), ev.SpeechPaused(2 * S))
    feed(dialog, ev.Transcribed(Rev(1, 1), "Turn on the light."), ev.Scored(Rev(1, 1), 0.99))
    feed(dialog, ev.Elapsed(2 * S + S // 2), ev.ReplyEnded(Rev(1, 1), calls=True))
    actions = feed(dialog, ev.SpeechStarted(2 * S + S * 7 // 10))
    assert not any(isinstance(action, ev.Reopen) for action in actions)


def test_a_reopened_turn_is_judged_anew() -> None:
    dialog = Dialog(SEMANTIC)
    feed(dialog, ev.SpeechStarted(S), ev.Elapsed(2 * S), ev.SpeechPaused(2 * S))
    feed(dialog, ev.Transcribed(Rev(1, 1), "Hello."), ev.Scored(Rev(1, 1), 0.99))
    feed(dialog, ev.Elapsed(2 * S + S // 5), ev.Elapsed(2 * S + S // 2))
    assert isinstance(feed(dialog, ev.SpeechStarted(2 * S + S * 6 // 10))[0], ev.Reopen)
    feed(dialog, ev.Elapsed(4 * S), ev.SpeechPaused(4 * S))
    again = feed(dialog, ev.Transcribed(Rev(1, 2), "Hello, what time is it in"))
    assert any(isinstance(action, ev.Score) for action in again)


def test_playback_that_the_client_stopped_is_over() -> None:
    dialog = answering()
    feed(dialog, ev.ReplyEnded(Rev(1, 1)), ev.Elapsed(5 * S))
    assert feed(dialog, ev.CancelRequested(playing=True)) == [
        ev.Cancel(Rev(1, 1), "client_cancelled")
    ]
    assert feed(dialog, ev.CancelRequested(playing=True)) == []
    assert isinstance(feed(dialog, ev.SpeechStarted(6 * S))[0], ev.OpenTurn)


def test_nobody_is_asked_whether_they_are_there_while_a_tool_runs() -> None:
    dialog = answering(replace(SEMANTIC, idle=5 * S))
    feed(dialog, ev.ReplyEnded(Rev(1, 1), calls=True))
    assert feed(dialog, ev.Elapsed(60 * S)) == []


def test_a_suspicion_that_is_cleared_is_withdrawn() -> None:
    dialog = answering()
    feed(dialog, ev.SpeechStarted(START))
    assert feed(dialog, ev.AudioCleared(START + 100))[-1] == ev.DropTurn(2, PREFIX)


def test_a_slow_tool_is_excused_once_a_cough_is_over() -> None:
    dialog = answering()
    feed(dialog, ev.ReplyEnded(Rev(1, 1), calls=True), ev.Elapsed(START))
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(START + S // 2))
    assert feed(dialog, ev.ToolSlow()) == []
    feed(dialog, ev.SpeechPaused(START + S // 2), ev.Transcribed(Rev(2, 1), ""))
    actions = feed(dialog, ev.Elapsed(START + 90 * S))
    assert [type(action) for action in actions] == [ev.Fill]
    assert feed(dialog, ev.ReplyEnded(actions[0].rev), ev.Elapsed(START + 99 * S)) == []


def test_a_tool_that_has_answered_needs_no_excuse() -> None:
    dialog = answering()
    feed(dialog, ev.ReplyEnded(Rev(1, 1), calls=True), ev.Elapsed(START))
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(START + S // 2), ev.ToolSlow())
    feed(dialog, ev.SpeechPaused(START + S // 2), ev.Transcribed(Rev(2, 1), ""))
    assert feed(dialog, ev.ToolAnswered(), ev.Elapsed(START + 90 * S)) == []


def test_a_tools_answer_follows_a_reply_that_is_taken_up_again() -> None:
    dialog = answering(replace(SEMANTIC, speaking="high"))
    end = START + S // 2
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(end), ev.SpeechPaused(end))
    (*_, resumed) = feed(dialog, ev.Transcribed(Rev(2, 1), ""))
    assert isinstance(resumed, ev.Resume)
    assert feed(dialog, ev.ResponseRequested()) == []
    assert dialog.owes_reply
    assert isinstance(feed(dialog, ev.ReplyEnded(resumed.rev))[-1], ev.Respond)
