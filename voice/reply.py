"""One assistant turn: the language model's deltas become clauses, clauses become speech.

What it makes goes out through `emit` as wire events in the order OpenAI documents; whether they
are held, sent or dropped is not decided here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Literal, Protocol

from chat.errors import ChatError
from chat.providers import Delta, Finished, TextDelta, ToolCall
from voice.audio import SPOKEN_RATE, Pcm, int16_from_pcm
from voice.clauses import Clauses
from voice.engines import Tts, Word
from voice.errors import VoiceError
from voice.heard import SpokenWord
from voice.protocol import server as wire
from voice.response import Reply, call_function, closing, open_message
from voice.speakable import Piece, speak

CHUNK = SPOKEN_RATE // 5
"""Samples in one audio message: small enough to interrupt between, large enough to be cheap."""

FIRST_CLAUSE = 5
"""Words spoken first, at most about so many: every one more makes the listener wait."""

LONGEST_CLAUSE = 20
"""Words spoken in one piece."""


Deltas = Callable[[], AsyncGenerator[Delta, None]]
Room = Callable[[], Awaitable[None]]


class Emit(Protocol):
    """Takes what the reply makes; `seconds` of audio, `content` as in `Outgoing`."""

    def __call__(
        self, event: wire.ServerEvent, *, seconds: float = 0.0, content: bool = False
    ) -> None: ...


async def respond(
    reply: Reply,
    *,
    ask: Deltas,
    tts: Tts,
    emit: Emit,
    room: Room,
) -> None:
    """Make the whole reply out of what `ask` streams.

    `room` waits as long as no further speech is wanted yet. Cancellation stops the model and the
    synthesis; `closing` then says what ends the reply on the wire. Failures of the engines end it
    here, as `response.done` `failed`.
    """
    plan = reply.plan
    reply.stamp("started")
    emit(wire.ResponseCreated(response=reply.response("in_progress")))
    if plan.voiceless and plan.modality == "audio":
        emit(wire.VoiceMissing(response_id=reply.id, language=plan.voiceless, voice=plan.voice))
    status: Literal["completed", "incomplete", "failed"] = "completed"
    details = wire.StatusDetails(type="completed")
    try:
        async with aclosing(ask()) as deltas:
            # A clause in the synthesiser cannot be interrupted: short ones keep it free.
            clauses = Clauses(plan.language, first_max=FIRST_CLAUSE, hard=LONGEST_CLAUSE)
            async for delta in deltas:
                reply.stamp("first_token")
                match delta:
                    case TextDelta(text) if plan.modality == "text":
                        _write(reply, text, emit)
                    case TextDelta(text):
                        for clause in clauses.feed(text):
                            await _say(reply, clause, tts, emit, room)
                    case ToolCall():
                        await _say_all(reply, clauses.flush(), tts, emit, room)
                        _emit_all(call_function(reply, delta), emit)
                    case Finished():
                        reply.usage = delta
            await _say_all(reply, clauses.flush(), tts, emit, room)
        reply.complete = True
        if reply.usage.reason == "length":
            status = "incomplete"
            details = wire.StatusDetails(type="incomplete", reason="max_output_tokens")
    except (ChatError, VoiceError) as error:
        status = "failed"
        details = wire.StatusDetails(
            type="failed",
            error={"type": "server_error", "code": error.code, "message": error.message},
        )
    reply.stamp("made")
    _emit_all(closing(reply, status, details), emit)


def _write(reply: Reply, text: str, emit: Emit) -> None:
    _emit_all(open_message(reply), emit)
    reply.text += text
    emit(wire.TextDelta(**reply.place(), delta=text), content=True)


async def _say_all(reply: Reply, clauses: list[str], tts: Tts, emit: Emit, room: Room) -> None:
    for number, clause in enumerate(clauses, start=1):
        await _say(reply, clause, tts, emit, room, ends=number == len(clauses))


async def _say(
    reply: Reply, clause: str, tts: Tts, emit: Emit, room: Room, *, ends: bool = False
) -> None:
    """Speak one clause of the reply's text, which it perhaps `ends`."""
    reply.stamp("first_clause")
    pieces = speak(clause, reply.plan.language)
    spoken = " ".join(piece.spoken for piece in pieces if piece.spoken)
    await room()
    if not spoken:
        _open_clause(reply, clause, emit)
        return
    first = True
    late: list[SpokenWord] = []
    """The last word, as long as the sound that it is said to end in has not been made."""
    urgent = not reply.seconds
    voice, speed = reply.plan.voice, reply.plan.speed
    async for speech in tts.stream(spoken, voice=voice, speed=speed, urgent=urgent):
        if first:
            reply.stamp("first_audio")
            before = _open_clause(reply, clause, emit)
            words = _place_words(pieces, speech.words, before, reply.seconds)
            end = reply.seconds + len(speech.pcm) / SPOKEN_RATE
            late = [word for word in words[-1:] if word.end > end]
            _tell_words(reply, words, speech.exact, emit, told=len(words) - len(late))
            first = False
        _play(reply, speech.pcm, emit)
        if late and late[0].end <= reply.seconds:
            _tell_times(reply, late, speech.exact, emit)
            late = []
        if not ends:  # or the reply would wait to be called complete
            await room()
    if reply.words:  # the last may have been expected to sound for longer than it did
        last = reply.words[-1]
        begin, end = min(last.start, reply.seconds), min(last.end, reply.seconds)
        reply.words[-1] = last._replace(start=begin, end=end)
    if late:
        _tell_times(reply, reply.words[-1:], reply.exact, emit)


def _open_clause(reply: Reply, clause: str, emit: Emit) -> int:
    """Tell what is being said; returns how many characters were said before it."""
    _emit_all(open_message(reply), emit)
    before = len(reply.text)
    reply.text += clause
    emit(wire.TranscriptDelta(**reply.place(), delta=clause), content=True)
    return before


def _tell_words(
    reply: Reply, words: list[SpokenWord], exact: bool, emit: Emit, *, told: int
) -> None:
    """These words are being said; the client is told of the first `told` of them."""
    reply.words += words
    reply.exact = reply.exact and exact
    if told or not words:
        _tell_times(reply, words[:told], exact, emit)


def _tell_times(reply: Reply, words: list[SpokenWord], exact: bool, emit: Emit) -> None:
    times = [_word_time(reply.text, word) for word in words]
    emit(wire.AudioWords(**reply.place(), words=times, exact=exact), content=True)


def _play(reply: Reply, pcm: Pcm, emit: Emit) -> None:
    for begin in range(0, len(pcm), CHUNK):
        chunk = pcm[begin : begin + CHUNK]
        length = len(chunk) / SPOKEN_RATE
        reply.seconds += length
        audio = wire.AudioDelta(**reply.place(), delta=int16_from_pcm(chunk))
        emit(audio, seconds=length, content=True)


def _place_words(
    pieces: Iterable[Piece], words: tuple[Word, ...], chars: int, seconds: float
) -> list[SpokenWord]:
    """Displayed words of a clause that begins `chars` and `seconds` into the reply."""
    placed = []
    at = 0
    for piece in pieces:
        count = len(piece.spoken.split())
        if count:
            first, last = words[at], words[at + count - 1]
            begin, end = seconds + first.start, seconds + last.end
            placed.append(SpokenWord(chars + piece.start, chars + piece.end, begin, end))
        at += count
    return placed


def _word_time(text: str, word: SpokenWord) -> wire.WordTime:
    return wire.WordTime(
        text=text[word.start_char : word.end_char],
        start_ms=round(word.start * 1000),
        end_ms=round(word.end * 1000),
    )


def _emit_all(events: Iterable[wire.ServerEvent], emit: Emit) -> None:
    for event in events:
        emit(event)
