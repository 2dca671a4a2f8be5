"""Who has the floor: tables of events in and actions out, and what must hold for any events."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.dialogs import PTT, SEMANTIC, SERVER, S, answering, feed
from voice import events as ev
from voice.asking import LATE
from voice.dialog import Dialog
from voice.events import Rev
from voice.turn import Policy


def test_a_pause_starts_the_transcript_and_that_the_score() -> None:
    dialog = Dialog(SEMANTIC)
    start = S - SEMANTIC.prefix
    now = 2 * S + S // 10
    assert feed(dialog, ev.SpeechStarted(S), ev.Elapsed(now), ev.SpeechPaused(2 * S)) == [
        ev.OpenTurn(1, start),
        ev.Transcribe(Rev(1, 1), start, 2 * S, final=False),
    ]
    assert feed(dialog, ev.Elapsed(now + 1)) == []
    assert feed(dialog, ev.Transcribed(Rev(1, 1), "Hello.")) == [
        ev.Respond(Rev(1, 1), held=True),
        ev.Score(Rev(1, 1), start, 2 * S),
    ]


def test_the_score_does_not_wait_for_a_late_transcript() -> None:
    dialog = Dialog(SEMANTIC)
    feed(dialog, ev.SpeechStarted(S), ev.Elapsed(2 * S + S // 10), ev.SpeechPaused(2 * S))
    assert feed(dialog, ev.Elapsed(2 * S + LATE - 1)) == []
    score = ev.Score(Rev(1, 1), S - SEMANTIC.prefix, 2 * S)
    assert feed(dialog, ev.Elapsed(2 * S + LATE)) == [score]
    assert feed(dialog, ev.Transcribed(Rev(1, 1), "Hi.")) == [ev.Respond(Rev(1, 1), held=True)]


def test_without_speculation_the_score_comes_at_once() -> None:
    dialog = Dialog(replace(SEMANTIC, speculation="off"))
    feed(dialog, ev.SpeechStarted(S), ev.Elapsed(2 * S), ev.SpeechPaused(2 * S))
    score = ev.Score(Rev(1, 1), S - SEMANTIC.prefix, 2 * S)
    assert feed(dialog, ev.Elapsed(2 * S + 512)) == [score]


def test_a_transcript_starts_a_held_reply_and_commit_releases_it() -> None:
    dialog = Dialog(SEMANTIC)
    noticed = 2 * S + S // 10
    feed(dialog, ev.SpeechStarted(S), ev.Elapsed(noticed), ev.SpeechPaused(2 * S))
    heard = ev.Transcribed(Rev(1, 1), "Hello.")
    assert feed(dialog, heard)[0] == ev.Respond(Rev(1, 1), held=True)
    assert feed(dialog, ev.Scored(Rev(1, 1), 0.99)) == []
    actions = feed(dialog, ev.Elapsed(2 * S + S))
    assert actions[0] == ev.Commit(Rev(1, 1), S - SEMANTIC.prefix, 2 * S)
    assert actions[1:] == [ev.Release(Rev(1, 1))]


def test_speech_that_goes_on_abandons_the_revision() -> None:
    dialog = Dialog(SEMANTIC)
    feed(dialog, ev.SpeechStarted(S), ev.SpeechPaused(2 * S), ev.Transcribed(Rev(1, 1), "I"))
    assert feed(dialog, ev.SpeechStarted(3 * S)) == [ev.Abandon(Rev(1, 1))]
    assert feed(dialog, ev.Transcribed(Rev(1, 1), "stale"), ev.Scored(Rev(1, 1), 1.0)) == []
    assert feed(dialog, ev.SpeechPaused(4 * S))[0] == ev.Transcribe(
        Rev(1, 2), S - SEMANTIC.prefix, 4 * S, final=False
    )


def test_the_detector_is_asked_again_while_the_silence_lasts() -> None:
    dialog = Dialog(SEMANTIC)
    start = S - SEMANTIC.prefix
    feed(dialog, ev.SpeechStarted(S), ev.Elapsed(2 * S), ev.SpeechPaused(2 * S))
    feed(dialog, ev.Transcribed(Rev(1, 1), "and"))
    again = 2 * S + S // 5
    assert feed(dialog, ev.Elapsed(again - 1), ev.Scored(Rev(1, 1), 0.01)) == []
    assert feed(dialog, ev.Elapsed(again)) == [ev.Score(Rev(1, 1), start, again)]
    assert feed(dialog, ev.Elapsed(again + S // 5)) == []  # not answered yet


def test_the_lowest_score_of_a_pause_counts() -> None:
    dialog = Dialog(SEMANTIC)
    feed(dialog, ev.SpeechStarted(S), ev.Elapsed(2 * S), ev.SpeechPaused(2 * S))
    feed(dialog, ev.Transcribed(Rev(1, 1), "Hello."), ev.Scored(Rev(1, 1), 0.01))
    feed(dialog, ev.Elapsed(2 * S + S // 5), ev.Scored(Rev(1, 1), 0.99))
    assert feed(dialog, ev.Elapsed(3 * S)) == [ev.Score(Rev(1, 1), S - SEMANTIC.prefix, 3 * S)]


def test_server_vad_ends_a_turn_by_silence_alone() -> None:
    dialog = Dialog(SERVER)
    feed(dialog, ev.SpeechStarted(S), ev.SpeechPaused(2 * S))
    assert feed(dialog, ev.Elapsed(2 * S + SERVER.silence - 1)) == []
    assert feed(dialog, ev.Elapsed(2 * S + SERVER.silence)) == [
        ev.Commit(Rev(1, 1), S - SERVER.prefix, 2 * S)
    ]
    assert feed(dialog, ev.Transcribed(Rev(1, 1), "Hi.")) == [ev.Respond(Rev(1, 1), held=False)]


def test_nothing_understood_is_not_answered() -> None:
    dialog = Dialog(SERVER)
    feed(dialog, ev.SpeechStarted(S), ev.SpeechPaused(2 * S), ev.Elapsed(4 * S))
    assert feed(dialog, ev.Transcribed(Rev(1, 1), "")) == []


def going_on() -> Dialog:
    """A question is committed and its transcript late; the user speaks on."""
    dialog = Dialog(SERVER)
    feed(dialog, ev.SpeechStarted(S), ev.Elapsed(2 * S), ev.SpeechPaused(2 * S), ev.Elapsed(4 * S))
    feed(dialog, ev.SpeechStarted(4 * S), ev.Elapsed(5 * S))
    assert feed(dialog, ev.Transcribed(Rev(1, 1), "What is the time?")) == []
    feed(dialog, ev.Elapsed(6 * S), ev.SpeechPaused(6 * S))
    return dialog


def test_a_late_transcript_talks_over_nobody() -> None:
    dialog = going_on()
    feed(dialog, ev.Transcribed(Rev(2, 1), "And the date?"))
    assert feed(dialog, ev.Elapsed(7 * S))[-1] == ev.Release(Rev(2, 1))


def test_what_was_left_to_a_cough_is_answered_after_it() -> None:
    dialog = going_on()
    feed(dialog, ev.Transcribed(Rev(2, 1), ""))
    assert feed(dialog, ev.Elapsed(9 * S))[-1] == ev.Respond(Rev(3, 0), held=False)


def test_what_was_left_to_a_noise_is_answered_in_it() -> None:
    dialog = Dialog(SERVER)
    feed(dialog, ev.SpeechStarted(S), ev.Elapsed(2 * S), ev.SpeechPaused(2 * S), ev.Elapsed(4 * S))
    feed(dialog, ev.SpeechStarted(4 * S), ev.Elapsed(5 * S))
    feed(dialog, ev.Transcribed(Rev(1, 1), "What is the time?"))
    actions: list[ev.Action] = []
    for second in range(6, 20):
        actions += feed(dialog, ev.Elapsed(second * S), ev.Overheard(Rev(2, 0), 1000, news=False))
    assert ev.Respond(Rev(3, 0), held=False) in actions


def test_a_reply_that_has_been_played_is_over() -> None:
    dialog = answering()
    feed(dialog, ev.ReplyEnded(Rev(1, 1)), ev.Elapsed(10 * S), ev.SpeechStarted(10 * S))
    assert feed(dialog, ev.Elapsed(11 * S)) == []


def test_the_client_may_say_that_everything_has_been_played() -> None:
    dialog = answering()
    feed(dialog, ev.ReplyEnded(Rev(1, 1)), ev.Elapsed(5 * S), ev.Played(1), ev.SpeechStarted(5 * S))
    assert feed(dialog, ev.Elapsed(6 * S)) == []


def test_push_to_talk_commits_what_was_held_and_vad_ends_nothing() -> None:
    dialog = Dialog(PTT)
    assert feed(dialog, ev.SpeechStarted(S)) == []
    assert feed(dialog, ev.SpeechPaused(2 * S)) == [ev.Transcribe(Rev(1, 1), 0, 2 * S, final=False)]
    assert feed(dialog, ev.Elapsed(60 * S)) == []
    assert feed(dialog, ev.AudioCommitted(61 * S)) == [ev.Commit(Rev(1, 1), 0, 2 * S)]
    assert feed(dialog, ev.ResponseRequested()) == []
    assert feed(dialog, ev.Transcribed(Rev(1, 1), "Hi.")) == [ev.Respond(Rev(1, 1), held=False)]


def test_push_to_talk_releases_what_was_prepared() -> None:
    dialog = Dialog(PTT)
    feed(dialog, ev.SpeechStarted(S), ev.SpeechPaused(2 * S))
    assert feed(dialog, ev.Transcribed(Rev(1, 1), "Hi.")) == [ev.Respond(Rev(1, 1), held=True)]
    assert feed(dialog, ev.AudioCommitted(3 * S)) == [ev.Commit(Rev(1, 1), 0, 2 * S)]
    assert feed(dialog, ev.ResponseRequested()) == [ev.Release(Rev(1, 1))]


def test_a_special_request_does_not_get_the_prepared_reply() -> None:
    dialog = Dialog(PTT)
    feed(dialog, ev.SpeechStarted(S), ev.SpeechPaused(2 * S), ev.Transcribed(Rev(1, 1), "Hi."))
    feed(dialog, ev.AudioCommitted(3 * S))
    assert feed(dialog, ev.ResponseRequested(special=True)) == [
        ev.Abandon(Rev(1, 1)),
        ev.Respond(Rev(2, 0), held=False),
    ]


def test_nothing_said_before_the_commit_is_transcribed_all_the_same() -> None:
    dialog = Dialog(PTT)
    assert feed(dialog, ev.AudioCommitted(S)) == [
        ev.Commit(Rev(1, 1), 0, S),
        ev.Transcribe(Rev(1, 1), 0, S, final=True),
    ]


def test_changing_how_turns_are_found_drops_the_open_one() -> None:
    dialog = Dialog(SEMANTIC)
    feed(dialog, ev.SpeechStarted(S), ev.SpeechPaused(2 * S))
    assert dialog.adopt(PTT) == [ev.Abandon(Rev(1, 1))]
    assert dialog.adopt(replace(PTT, create_response=True)) == []


TEXTS = st.sampled_from(["", "Hello.", "and", "Mm-hm.", "Stop.", "Okay, but what about her?"])
ANY = st.sampled_from(
    [
        SEMANTIC,
        PTT,
        SERVER,
        replace(PTT, request_follows=True),
        replace(SEMANTIC, idle=5 * S, speaking="high"),
        replace(SEMANTIC, interrupt_response=False),
        replace(SEMANTIC, create_response=False),
        replace(SEMANTIC, partial=S, noise=3 * S),
    ]
)


class AnyConversation(RuleBasedStateMachine):
    """Whatever happens in whatever order, these rules hold."""

    def __init__(self) -> None:
        super().__init__()
        self.dialog = Dialog(SEMANTIC)
        self.now = 0
        self.alive: set[Rev] = set()
        """Replies that were started and not ended, cancelled or abandoned."""
        self.held: set[Rev] = set()
        self.made: set[Rev] = set()
        self.answered: list[Rev] = []
        self.pending: list[Rev] = []
        self.scoring: list[Rev] = []
        self.glancing: list[Rev] = []
        self.cancelled: set[Rev] = set()
        self.opened: set[int] = set()
        self.speaking = False

    @initialize(policy=ANY)
    def begins(self, policy: Policy) -> None:
        self.dialog = Dialog(policy)

    def take(self, event: ev.Event) -> list[ev.Action]:
        actions = self.dialog.feed(event)
        self.check(actions)
        return actions

    def check(self, actions: list[ev.Action]) -> None:
        for action in actions:
            match action:
                case ev.Respond(rev, held):
                    assert rev not in self.answered, "a revision is answered once"
                    self.answered.append(rev)
                    self.alive.add(rev)
                    if held:
                        self.held.add(rev)
                case ev.Release(rev):
                    assert rev in self.held, "only what is held can be released"
                    self.held.discard(rev)
                    self.alive -= self.made
                case ev.Abandon(rev) | ev.Reopen(rev):
                    self.alive.discard(rev)
                    self.held.discard(rev)
                case ev.Cancel(rev):
                    assert rev not in self.held, "what was never let out is abandoned instead"
                    self.cancelled.add(rev)
                    self.alive.discard(rev)
                case ev.Transcribe(rev, start, end):
                    assert 0 <= start <= end
                    self.pending.append(rev)
                case ev.Score(rev):
                    self.scoring.append(rev)
                case ev.Glance(rev):
                    self.glancing.append(rev)
                case ev.Resume(rev, cut):
                    assert self.cancelled.issuperset(cut), "only what was cut can be taken up again"
                    self.cancelled.difference_update(cut)
                    self.alive.add(rev)
                case ev.Nudge(rev) | ev.Fill(rev):
                    self.alive.add(rev)
                case ev.Suspect(turn):
                    assert turn not in self.opened
                case ev.OpenTurn(turn):
                    self.opened.add(turn)

    @rule(seconds=st.integers(1, 3 * S))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.take(ev.Elapsed(self.now))

    @precondition(lambda self: not self.speaking)
    @rule()
    def speech_starts(self) -> None:
        self.speaking = True
        self.take(ev.SpeechStarted(self.now))

    @precondition(lambda self: self.speaking)
    @rule()
    def speech_pauses(self) -> None:
        self.speaking = False
        self.take(ev.SpeechPaused(self.now))

    @precondition(lambda self: not self.speaking)
    @rule()
    def something_is_said(self) -> None:
        """The usual course, so that deep states are reached often."""
        self.take(ev.SpeechStarted(self.now))
        self.now += S
        self.take(ev.Elapsed(self.now))
        self.take(ev.SpeechPaused(self.now))
        if self.pending:
            self.take(ev.Transcribed(self.pending.pop(), "Hello."))

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), text=TEXTS)
    def transcript_comes(self, data: st.DataObject, text: str) -> None:
        rev = data.draw(st.sampled_from(self.pending))
        self.pending.remove(rev)
        self.take(ev.Transcribed(rev, text))

    @precondition(lambda self: self.scoring)
    @rule(data=st.data(), probability=st.sampled_from([None, 0.0, 0.5, 1.0]))
    def score_comes(self, data: st.DataObject, probability: float | None) -> None:
        rev = data.draw(st.sampled_from(self.scoring))
        self.scoring.remove(rev)
        self.take(ev.Scored(rev, probability))

    @precondition(lambda self: self.glancing)
    @rule(text=st.none() | TEXTS)
    def glance_comes(self, text: str | None) -> None:
        self.take(ev.Glanced(self.glancing.pop(), text))

    @rule()
    def partial_comes(self) -> None:
        for number in range(1, 9):
            self.take(ev.Overheard(Rev(number, 0), S // 5, news=False))

    @rule()
    def tool_is_slow(self) -> None:
        self.take(ev.ToolSlow())

    @rule()
    def tool_answers(self) -> None:
        self.take(ev.ToolAnswered())

    @rule(turn=st.integers(1, 8), left=st.sampled_from([0, S]))
    def client_has_played(self, turn: int, left: int) -> None:
        self.take(ev.Played(turn, left))

    @precondition(lambda self: self.alive - self.held)
    @rule(data=st.data())
    def reply_sounds(self, data: st.DataObject) -> None:
        self.take(ev.AudioSent(data.draw(st.sampled_from(sorted(self.alive - self.held))), S))

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def reply_is_made(self, data: st.DataObject) -> None:
        rev = data.draw(st.sampled_from(sorted(self.alive)))
        self.made.add(rev)
        if rev not in self.held:
            self.alive.discard(rev)
        self.take(ev.ReplyEnded(rev, asks=bool(rev.turn % 2), calls=rev.turn % 3 == 0))

    @rule()
    def client_commits(self) -> None:
        self.speaking = False
        self.take(ev.AudioCommitted(self.now))

    @rule()
    def client_clears(self) -> None:
        self.speaking = False
        self.take(ev.AudioCleared(self.now))

    @rule(special=st.booleans())
    def client_asks(self, special: bool) -> None:
        self.take(ev.ResponseRequested(special=special))

    @rule()
    def client_cancels(self) -> None:
        self.take(ev.CancelRequested())

    @rule(policy=ANY)
    def policy_changes(self, policy: Policy) -> None:
        self.check(self.dialog.adopt(policy))

    def teardown(self) -> None:
        """However it came to this: when all fall silent, the next word opens a new turn."""
        if self.dialog.policy.detection == "none":
            return
        if self.speaking:
            self.speech_pauses()
        for _ in range(2):  # the first may ask for more
            while self.pending:
                self.take(ev.Transcribed(self.pending.pop(), "Hello."))
            while self.scoring:
                self.take(ev.Scored(self.scoring.pop(), 0.9))
            self.now += 200 * S
            self.take(ev.Elapsed(self.now))
        opened = self.take(ev.SpeechStarted(self.now))
        assert any(isinstance(action, ev.OpenTurn | ev.Suspect) for action in opened)

    @invariant()
    def never_two_replies(self) -> None:
        assert len(self.alive) <= 1

    @invariant()
    def never_two_held(self) -> None:
        assert len(self.held) <= 1


TestAnyConversation = AnyConversation.TestCase
TestAnyConversation.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@given(st.lists(st.integers(0, 5), max_size=6), st.text(max_size=3))
def test_a_stale_result_yields_nothing(revisions: list[int], text: str) -> None:
    dialog = answering()
    for revision in revisions:
        assert dialog.feed(ev.Transcribed(Rev(7, revision), text)) == []
        assert dialog.feed(ev.Scored(Rev(1, revision + 2), 1.0)) == []
        assert dialog.feed(ev.ReplyEnded(Rev(9, revision))) == []
