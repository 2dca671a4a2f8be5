"""Who has the floor: a pure state machine from events to actions.

A turn is one thing the user says; each pause in it makes a new revision, whose transcript and
reply are prepared while it is still open whether the turn is over. Commit makes the live revision
the user's message and releases its reply; speech that goes on before that abandons it.

What is said over a reply is weighed first (`voice.overlapping`): it is a turn once it interrupts.

Stale results are dropped here and nowhere else: a result counts only if its `Rev` is the live one.
"""

from __future__ import annotations

from voice import asking, idling, overlapping
from voice import events as ev
from voice.events import Rev
from voice.floor import Floor
from voice.overlap import only_stops
from voice.turn import Policy, Turn


class Dialog:
    """The floor of one conversation: feed events in order, perform what comes back in order."""

    def __init__(self, policy: Policy) -> None:
        self._floor = Floor(policy)

    # --- what others may ask

    @property
    def policy(self) -> Policy:
        """The rules in force."""
        return self._floor.policy

    @property
    def replying(self) -> bool:
        """A reply that was let out is still being made."""
        return self._floor.own.active

    @property
    def owes_reply(self) -> bool:
        """The client has asked for a reply that is to follow the present one."""
        return self._floor.own.queued is not None

    @property
    def expects_reply(self) -> bool:
        """The language model may prepare for a reply to what is being said."""
        return self._floor.expects_reply

    @property
    def weighing(self) -> bool:
        """What is being said may be nothing, or our own voice."""
        turn = self._floor.turn
        return turn is not None and (turn.weighed or bool(turn.cut))

    @property
    def uncommitted(self) -> int:
        """Where the audio begins that is not yet part of a turn that is over."""
        return self._floor.spoken_for

    @property
    def wanted(self) -> int:
        """Audio before this sample will not be asked for again."""
        return self._floor.wanted

    # --- events

    def feed(self, event: ev.Event) -> list[ev.Action]:  # noqa: PLR0911, PLR0912 - the table of events
        """Take one event, return what is to be done about it, in order."""
        floor = self._floor
        match event:
            case ev.Elapsed(now, silent, level):
                return self._elapse(now, silent, level)
            case ev.SpeechStarted(at):
                return self._start(at)
            case ev.SpeechPaused(at):
                return self._pause(at)
            case ev.Transcribed(rev, text, confidence):
                return self._transcribed(rev, text, confidence)
            case ev.Overheard(rev, samples, news):
                if floor.turn is not None and floor.turn.number == rev.turn:
                    asking.overheard(floor.turn, floor.policy, floor.now, samples, news=news)
                return []
            case ev.Glanced(rev):
                # What was heard before a pause is as good after it.
                if floor.turn is not None and floor.turn.number == rev.turn:
                    return overlapping.glanced(floor, floor.turn, event)
                return []
            case ev.Scored(rev, probability):
                if floor.turn is not None and floor.turn.rev == rev and floor.turn.scoring:
                    asking.scored(floor.turn, probability)
                return []
            case ev.AudioCommitted(now):
                return self._commit_by_client(now)
            case ev.AudioCleared(now):
                return floor.clear(now)
            case ev.ResponseRequested():
                return self._request(event)
            case ev.CancelRequested(playing):
                return self._cancel_by_client(playing=playing)
            case ev.AudioSent(rev, samples):
                floor.own.sent(rev, samples, floor.now)
                return []
            case ev.ReplyEnded(rev, asks, calls):
                return self._ended(rev, asks=asks, calls=calls)
            case ev.Played(turn, left):
                floor.own.played(turn, floor.now + left)
                return []
            case ev.ToolSlow():
                floor.own.late = True
                return idling.fill(floor)
            case ev.ToolAnswered():
                floor.own.late = False
                return []

    def adopt(self, policy: Policy) -> list[ev.Action]:
        """Change the policy; another way of detecting turns starts with a clean floor."""
        changed = policy.detection != self.policy.detection
        self._floor.policy = policy
        return self._floor.clear(self._floor.now) if changed else []

    # --- speech

    def _start(self, at: int) -> list[ev.Action]:
        floor, policy = self._floor, self.policy
        turn = floor.turn
        if turn is not None:
            turn.speaking = True
            turn.spoke = at
            turn.overhear_at = at + policy.partial
            return floor.abandon(turn)
        reopened = self._reopen(at)
        if reopened:
            return reopened
        if policy.detection == "none":
            # The button says where it starts: quiet words before the first loud one count.
            floor.open(floor.spoken_for, at)
            return []
        began = floor.began(at)
        turn = floor.open(max(at - policy.prefix, floor.spoken_for), at)
        turn.weighed = policy.interrupt_response and bool(floor.own.sounding(floor.now))
        if not turn.weighed:
            return [ev.OpenTurn(turn.number, turn.start)]
        suspect = ev.Suspect(turn.number, turn.start)
        turn.start = min(turn.start, began)
        return [suspect]

    def _reopen(self, at: int) -> list[ev.Action]:
        floor, turn = self._floor, self._floor.committed
        if turn is None or self.policy.detection == "none" or at - turn.end > self.policy.reopen:
            return []
        reply = floor.own.of(turn.rev)
        # What is made is done, also where nothing of it sounds: functions were called, text shown.
        unheard = reply is not None and not reply.audible and (reply.held or not reply.ended)
        waiting = turn.transcript is None and turn.respond
        if not (unheard or waiting):
            return []
        if unheard:
            floor.own.reply = None
        floor.committed = None
        turn.speaking, turn.spoke, turn.respond, turn.answered = True, at, False, False
        turn.transcript, turn.transcribing = None, False
        turn.probability, turn.scoring = None, False
        turn.understood_at, turn.looks = at, 0
        floor.turn = turn
        return [ev.Reopen(turn.rev), ev.OpenTurn(turn.number, turn.start)]

    def _pause(self, at: int) -> list[ev.Action]:
        turn = self._floor.turn
        if turn is None:
            return []
        turn.speaking = False
        turn.voiced += at - turn.spoke
        turn.end = at
        turn.revision += 1
        turn.used = turn.overhearing = False
        turn.scored = None
        if turn.weighed and turn.voiced < self.policy.interrupt:
            return self._floor.drop(turn, unknown=True)
        if turn.weighed or self.policy.speculation != "off":
            return [asking.transcribe(turn, final=False)]
        return []

    # --- time

    def _elapse(self, now: int, silent: int, level: float) -> list[ev.Action]:
        self._floor.now = now
        turn = self._floor.turn
        if turn is None:
            return idling.fill(self._floor) or idling.nudge(self._floor)
        if turn.speaking:
            if not silent:
                self._floor.hear(turn, level)
            return self._listen(turn, now, silent)
        if self.policy.detection == "none" or turn.weighed:
            return []  # the button or the transcript decides
        if now - turn.end >= asking.silence_needed(turn, self.policy):
            repented = overlapping.repent(self._floor, turn, final=True)
            return repented or self._commit(turn, respond=self.policy.create_response)
        return asking.judge(turn, self.policy, now)

    def _listen(self, turn: Turn, now: int, silent: int) -> list[ev.Action]:
        """The user speaks."""
        if turn.weighed:
            return overlapping.listen(self._floor, turn, turn.voiced + now - silent - turn.spoke)
        if self.policy.detection != "none":
            endless = now - turn.start > self.policy.max_turn
            if endless or asking.is_noise(turn, self.policy, now):
                return self._end(turn, now, drop=not endless and not turn.words)
        return asking.overhear(turn, self.policy, now) if not silent else []

    def _end(self, turn: Turn, now: int, *, drop: bool) -> list[ev.Action]:
        """The turn is over though it does not fall silent, or was nothing at all.

        Someone may yet speak, and the noise hides where that begins: so what follows is weighed
        like speech over a reply.
        """
        turn.end = now
        turn.revision += 1
        ended = self._floor.drop if drop else self._commit
        actions = ended(turn)
        rest = self._floor.open(now, now)
        rest.weighed = rest.in_noise = True
        return actions

    # --- the end of a turn

    def _commit(self, turn: Turn, *, respond: bool | None = None) -> list[ev.Action]:
        floor = self._floor
        actions: list[ev.Action] = [ev.Commit(turn.rev, turn.start, turn.end)]
        floor.turn = None
        floor.spoken_for = turn.end
        floor.committed = turn
        floor.nudges = 0
        turn.respond = self.policy.create_response if respond is None else respond
        if turn.transcript is None:
            if not turn.transcribing:
                actions.append(asking.transcribe(turn, final=True))
            return actions
        return actions + self._answer(turn)

    def _commit_by_client(self, now: int) -> list[ev.Action]:
        floor, turn = self._floor, self._floor.turn
        start = floor.spoken_for
        fresh = turn is None or turn.speaking or turn.revision == 0
        actions: list[ev.Action] = []
        if turn is None:
            turn = floor.open(start, start)
        elif turn.weighed:
            actions = overlapping.interrupt(floor, turn, hasty=False)
        turn.start = start
        if fresh:
            turn.end = now
            turn.revision += 1
        actions += self._commit(turn, respond=False)
        floor.spoken_for = now
        return actions

    # --- results

    def _transcribed(self, rev: Rev, text: str, confidence: float) -> list[ev.Action]:
        floor, turn = self._floor, self._floor.turn
        if turn is not None and turn.rev == rev and turn.transcribing:
            turn.transcript, turn.transcribing, turn.confidence = text, False, confidence
            if text:
                turn.words, turn.understood_at = True, floor.now
            weighed = turn.weighed
            actions = overlapping.decide(floor, turn, turn.voiced, over=True) if weighed else []
            actions += overlapping.repent(floor, turn, final=False)
            if floor.turn is not turn:
                return actions + self._request_queued()
            actions += self._speculate(turn)
            # The client may send no more sound: the silence it has sent may be enough already.
            over = floor.now - turn.end >= asking.silence_needed(turn, self.policy)
            if weighed and over and not turn.speaking:
                return actions + self._commit(turn)
            return actions + asking.judge(turn, self.policy, floor.now)
        turn = floor.committed
        if turn is not None and turn.rev == rev and turn.transcribing:
            turn.transcript, turn.transcribing, turn.confidence = text, False, confidence
            return self._answer(turn)
        return []

    def _speculate(self, turn: Turn) -> list[ev.Action]:
        if not turn.transcript or not self.expects_reply or _hushes(turn):
            return []
        turn.used = True
        return self._floor.own.begin(turn.rev, self._floor.now, held=True)

    def _answer(self, turn: Turn) -> list[ev.Action]:
        """The turn is committed and its transcript known: reply, if one is wanted."""
        own = self._floor.own
        if repented := overlapping.repent(self._floor, turn, final=True):
            turn.respond, turn.answered = False, True
            return repented
        reply = own.of(turn.rev)
        if not turn.respond:
            expected = self.policy.request_follows and reply is not None
            return [] if expected else own.forget_held()
        if reply is not None and reply.held:
            reply.held = False
            turn.respond, turn.answered = False, True
            own.queued = None  # the reply to this answers that as well
            return [ev.Release(turn.rev)]
        return [] if self.replying else self._begin(turn)

    def _begin(self, turn: Turn) -> list[ev.Action]:
        """Reply to a committed turn, if there is anything to reply to."""
        floor, own, following = self._floor, self._floor.own, self._floor.turn
        late = floor.unanswered and not turn.transcript
        if not (turn.transcript or turn.asked or late):
            turn.answered = turn.answered or own.queued is not None
            return self._request_queued()
        turn.respond, turn.answered = False, True
        own.queued = None
        if _hushes(turn) and not turn.asked:
            return []
        # Nobody is talked over: what the user is saying already will be answered with this.
        floor.unanswered = following is not None and following.speaking and not following.weighed
        if floor.unanswered and not turn.asked:
            return []
        rev = floor.next_rev() if turn.used or late else turn.rev
        return own.begin(rev, floor.now, held=False)

    # --- replies

    def _request(self, request: ev.ResponseRequested) -> list[ev.Action]:
        own, turn = self._floor.own, self._floor.committed
        reply = own.reply
        self._floor.nudges = 0
        if self.replying:
            if reply is not None and (reply.fills or reply.resumes) and own.queued is None:
                own.queued = request
                return []
            message = "a response is in progress; wait for it to end or cancel it first"
            return [ev.Refuse("conversation_already_has_active_response", message)]
        held = reply is not None and reply.held
        if turn is not None and own.of(turn.rev) and held and not request.special:
            turn.respond = True
            return self._answer(turn)
        if not held and turn is not None and not turn.answered:
            turn.respond = turn.asked = True
            return [] if turn.transcribing else self._answer(turn)
        return own.begin(self._floor.next_rev(), self._floor.now, held=False)

    def _request_queued(self) -> list[ev.Action]:
        own = self._floor.own
        if own.queued is None or own.active or self._floor.turn is not None:
            return []
        request, own.queued = own.queued, None
        return self._request(request)

    def _cancel_by_client(self, *, playing: bool) -> list[ev.Action]:
        floor, own = self._floor, self._floor.own
        if floor.committed is not None and floor.committed.transcribing:
            floor.committed.respond = False
        sounding = own.sounding(floor.now)
        if not self.replying and not (playing and sounding):
            if playing:
                return []
            message = "Cancellation failed: no active response found"
            return [ev.Refuse("response_cancel_not_active", message)]
        own.silence()
        own.queued = None
        return [ev.Cancel(reply.rev, "client_cancelled") for reply in sounding]

    def _ended(self, rev: Rev, *, asks: bool, calls: bool) -> list[ev.Action]:
        floor, own = self._floor, self._floor.own
        if own.ended(rev, asks=asks, calls=calls) is None:
            return []
        if own.queued is not None:
            return self._request_queued()
        turn = floor.committed
        if turn is not None and turn.respond and turn.transcript and turn.rev != rev:
            return self._answer(turn)  # it was said while the reply could not be interrupted
        return []


def _hushes(turn: Turn) -> bool:
    """All that was said is that the reply shall stop: it has, and there is no more to say."""
    return turn.cuts and turn.transcript is not None and only_stops(turn.transcript)
