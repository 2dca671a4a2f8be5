"""Whisper on CTranslate2, its encoder fed only as much audio as there is.

Whisper was trained on windows of 30 s and is always run on them, silence added. Its encoder takes
fewer frames as well, which costs a fraction (`bench/stt.py` measures both). Where the decode of
the short window looks doubtful, a longer window is the second opinion.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer

from voice.audio import HEARD_RATE, Pcm
from voice.engines import EngineOptions, Spoken, Transcript, Word
from voice.engines.faster_whisper_encoder import MARGIN, WINDOW, Encoded, Encoder, view
from voice.engines.faster_whisper_words import align
from voice.engines.languages import Languages, alternative, choose
from voice.engines.timed import HeardPart
from voice.engines.whisper import (
    Decode,
    better,
    clearer,
    join,
    joined,
    makes_sense,
    once,
    pieces,
)
from voice.errors import ConfigError, EngineFailed, VoiceError
from voice.lane import Lane, on_loop

LONGEST = 28 * HEARD_RATE
"""Longer audio is cut at its quietest place: a window needs some silence after the words."""

SHORTEST = HEARD_RATE // 10
"""Less than 0.1 s is nobody's word."""

SECOND = 10 * HEARD_RATE
"""The window of the second opinion, where the audio fits into it (`MIN_CONFIDENCE`)."""

TOKENS = 8
TOKENS_PER_SECOND = 12
"""A short window may give 8 tokens and 12 more a second, then it is taken to be a loop."""

LAST_TOKEN = 224
"""Tokens of text that Whisper's decoder has room for, half of its 448 positions."""

LONGEST_PREFIX = LAST_TOKEN - 24
"""Tokens of a prefix that leave room for a few words."""

LONGEST_PROMPT = 200
"""Tokens of a prompt: with the text they share the decoder's 448 positions."""

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages without spaces between words (`Tokenizer.split_to_word_tokens`)."""


class FasterWhisper:
    """The recogniser; see `voice.engines.Stt`."""

    def __init__(self, model: WhisperModel) -> None:
        self._model = model.model
        self._tokens = model.hf_tokenizer
        self._lane = Lane("stt")
        self._encoder = Encoder(model.model)
        self.device: str = model.model.device
        self.languages: frozenset[str] = frozenset(model.supported_languages)

    async def transcribe(
        self,
        pcm: Pcm,
        *,
        language: Spoken = None,
        prefix: str = "",
        urgent: bool = True,
        early: Callable[[Transcript], None] | None = None,
    ) -> Transcript:
        """Transcribe `pcm`, shape `(n,)` at 16 kHz, as `voice.engines.Stt` says.

        `prefix` is left aside if the audio is longer than 28 s, which is heard in parts, or if it
        is longer than 200 tokens. Where nothing was heard, the text is empty (or `prefix`).
        Raises `VoiceError` with code `unknown_language` for a language that is not one of
        `languages`.
        """
        self._check_language(language)
        tell = on_loop(early) if early else None
        return await self._lane.run(
            lambda: self.listen(pcm, language=language, prefix=prefix, again=urgent, early=tell),
            priority=0 if urgent else 1,
        )

    async def hear(
        self, pcm: Pcm, *, language: Spoken = None, prompt: str = "", words: bool = False
    ) -> AsyncIterator[HeardPart]:
        """Transcribe a recording part by part; see `voice.engines.timed.TimedStt`."""
        self._check_language(language)
        pcm = np.clip(np.nan_to_num(pcm), -1.0, 1.0).astype(np.float32, copy=False)
        start = 0.0
        for part in pieces(pcm, longest=LONGEST):
            work = partial(self._hear_part, part, start, language, prompt, words)
            heard = await self._lane.run(work, priority=2)
            language = _settled(language, heard.transcript)
            start = heard.end
            yield heard

    def _check_language(self, language: Spoken) -> None:
        if isinstance(language, str) and language not in self.languages:
            raise VoiceError(
                f"the language {language!r} is not known here",
                code="unknown_language",
                param="language",
            )

    def _hear_part(
        self, pcm: Pcm, start: float, language: Spoken, prompt: str, words: bool
    ) -> HeardPart:
        """`hear` for at most 28 s that begin at `start` seconds (blocking)."""
        seconds = len(pcm) / HEARD_RATE
        end = start + seconds
        if len(pcm) < SHORTEST:
            return HeardPart(start, end, Transcript("", _given(language), no_speech=1.0))
        try:
            heard = self._hear(pcm, language, "", False, prompt)
            found: tuple[Word, ...] = ()
            if words and heard.text:
                speaking, encoded = self._speaking(heard.language), self._encoder.short(pcm)
                found = align(self._model, speaking, view(encoded), heard.text, seconds)
        except (RuntimeError, ValueError) as error:
            raise EngineFailed("speech recognition failed") from error
        moved = tuple(Word(w.text, w.start + start, w.end + start) for w in found)
        return HeardPart(start, end, heard, moved)

    def close(self) -> None:
        """Refuse further work."""
        self._lane.close()

    def listen(
        self,
        pcm: Pcm,
        *,
        language: Spoken = None,
        prefix: str = "",
        full: bool = False,
        again: bool = True,
        early: Callable[[Transcript], object] | None = None,
    ) -> Transcript:
        """`transcribe` without the queue (blocking); `full` uses the 30 s window at once, `again`
        allows it as the second opinion. `early` is called on this thread.
        """
        pcm = np.clip(np.nan_to_num(pcm), -1.0, 1.0).astype(np.float32, copy=False)
        if len(pcm) < SHORTEST:
            return Transcript(text=prefix, language=_given(language), no_speech=1.0)
        parts = pieces(pcm, longest=LONGEST)
        if len(parts) > 1 or len(self._tokens.encode(prefix).ids) > LONGEST_PREFIX:
            prefix = ""
        try:
            heard: list[Transcript] = []
            for part in parts:
                told = early if len(parts) == 1 else None
                heard.append(self._hear(part, language, prefix, full, again=again, early=told))
                language = _settled(language, heard[-1])
        except (RuntimeError, ValueError) as error:
            raise EngineFailed("speech recognition failed") from error
        return join(heard)

    def _hear(
        self,
        pcm: Pcm,
        language: Spoken,
        prefix: str,
        full: bool,
        prompt: str = "",
        *,
        again: bool = True,
        early: Callable[[Transcript], object] | None = None,
    ) -> Transcript:
        """Transcribe at most 28 s: from a short window, and `again` from a longer one if doubtful.

        Words that stop in the middle of a sentence look wrong more often than not: a partial
        transcript is not worth a second opinion, but a loop in it is nothing to build on.
        """
        seconds = len(pcm) / HEARD_RATE
        limit = LAST_TOKEN if full else TOKENS + int(TOKENS_PER_SECOND * seconds)
        encoded = self._encoder.whole(pcm, WINDOW) if full else self._encoder.short(pcm)
        spoken, other = self._languages(encoded, language, seconds)
        decode = self._decode(encoded, spoken, prefix, limit, prompt)
        if decode.looping and not full and not again:
            decode = replace(decode, text=prefix)
        elif decode.doubtful and not full and again and not decode.silent:
            if early:
                early(_transcript(decode, prefix, full=False))
            full = True
            whole = self._encoder.whole(pcm, SECOND if len(pcm) <= SECOND - MARGIN else WINDOW)
            spoken, _ = self._languages(whole, language, seconds)
            decode = better(decode, self._decode(whole, spoken, prefix, LAST_TOKEN, prompt))
        if other and not makes_sense(decode, seconds):
            decode = clearer(decode, self._decode(encoded, other, prefix, limit, prompt))
        return _transcript(decode, prefix, full=full)

    def _decode(
        self, encoded: Encoded, language: str, prefix: str, limit: int, prompt: str
    ) -> Decode:
        """One greedy pass over `encoded`; at most `limit` tokens."""
        tokenizer = self._speaking(language)
        before: list[int] = []
        if prompt:
            before = [tokenizer.sot_prev, *tokenizer.encode(f" {prompt.strip()}")[-LONGEST_PROMPT:]]
        agreed: list[int] = []
        if prefix:
            agreed = tokenizer.encode(("" if language in UNSPACED else " ") + prefix.strip())
        limit = min(limit + len(agreed), LAST_TOKEN)
        result = self._model.generate(
            view(encoded),
            [[*before, *tokenizer.sot_sequence, tokenizer.no_timestamps, *agreed]],
            beam_size=1,
            # CTranslate2 lets the text, prefix included, have half of it, and no more than what
            # a prompt leaves.
            max_length=max(2 * limit, limit + len(before) + 4),
            suppress_blank=not agreed,  # or the text could not end where the prefix ends
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        tokens = result.sequences_ids[0]
        added = tokens[len(agreed) :]
        return Decode(
            text=joined(prefix, tokenizer.decode(added)),
            language=language,
            no_speech=result.no_speech_prob,
            confidence=result.scores[0] * len(tokens) / (len(added) + 1),
            ended=len(tokens) < limit,
        )

    def _speaking(self, language: str) -> Tokenizer:
        multilingual = self._model.is_multilingual
        return Tokenizer(self._tokens, multilingual, task="transcribe", language=language)

    def _languages(self, encoded: Encoded, known: Spoken, seconds: float) -> tuple[str, str]:
        """The language that was probably spoken, and the one to try if it was not (or none)."""
        if isinstance(known, str):
            return known, ""
        if not self._model.is_multilingual:
            return "en", ""
        found = self._model.detect_language(view(encoded))[0]
        heard = {token.strip("<|>"): p for token, p in found}
        known = known or Languages()
        return choose(heard, known, seconds), alternative(heard, known, seconds)


def _transcript(decode: Decode, prefix: str, *, full: bool) -> Transcript:
    """What is to be told of a decode."""
    nothing = decode.silent or decode.drawn_out
    text = once(decode.text) if decode.repeating and not prefix else decode.text
    return Transcript(
        text=prefix if nothing else text,
        language=decode.language,
        no_speech=decode.no_speech,
        confidence=decode.confidence,
        compression=decode.compression,
        full_context=full,
        unsure=decode.text if nothing and not decode.repeating else "",
    )


def _settled(language: Spoken, heard: Transcript) -> Spoken:
    """The language of what follows: all parts are one person's."""
    return language if isinstance(language, str) or not heard.text else heard.language


def _given(language: Spoken) -> str:
    return language if isinstance(language, str) else ""


def load(options: EngineOptions) -> FasterWhisper:
    """Load and warm the model in `options.model` (a folder of the weights, `whisper-base` by
    default), blocking.

    `auto` takes CUDA if a model really runs there. Raises `ConfigError` if the weights are
    missing or the device that was asked for does not work.
    """
    name = options.model or "whisper-base"
    folder = options.weights / name
    if not (folder / "model.bin").is_file():
        raise ConfigError(f"the speech recognition model {name} is not installed")
    if options.device == "cuda" or (options.device == "auto" and _cuda_devices() > 0):
        try:
            return _start(folder, "cuda", "float16", options.threads)
        except (RuntimeError, ValueError, VoiceError) as error:
            if options.device == "cuda":
                raise ConfigError(f"speech recognition does not run on CUDA: {error}") from error
            _log.warning("speech recognition falls back to the CPU: %s", error)
    return _start(folder, "cpu", "int8", options.threads)


_log = logging.getLogger(__name__)


def _cuda_devices() -> int:
    try:
        return int(ctranslate2.get_cuda_device_count())
    except RuntimeError:
        return 0


def _start(folder: Path, device: str, compute_type: str, threads: int) -> FasterWhisper:
    """Load the model and let it transcribe a little silence, which loads the kernels too."""
    model = WhisperModel(
        str(folder), device=device, compute_type=compute_type, cpu_threads=threads, num_workers=1
    )
    engine = FasterWhisper(model)
    engine.listen(np.zeros(HEARD_RATE, dtype=np.float32))
    return engine
