"""What the service tells about itself: Prometheus metrics, and the stages of one answer."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)

STAGE = Histogram(
    "vivavoce_stage_seconds",
    "Time of each stage of an answer; voice_to_voice is from the last voiced sample to the first "
    "audio sent.",
    ["stage"],
    buckets=_SECONDS,
)
SESSIONS = Gauge("vivavoce_sessions", "Sessions connected now.")
RESUMED = Counter("vivavoce_sessions_resumed", "Clients that came back to their session.")
KIOSKS = Gauge("vivavoce_kiosks", "Kiosks heard of in the last 45 s, by their state.", ["state"])
REFUSED = Counter("vivavoce_sessions_refused", "Connections refused.", ["code"])
QUEUE = Gauge("vivavoce_queue_depth", "Jobs or messages waiting.", ["queue"])
TURNS = Counter("vivavoce_turns", "User turns committed.")
REPLIES = Counter("vivavoce_replies", "Replies let out, by how they ended.", ["status"])
DROPPED = Counter("vivavoce_dropped_frames", "Audio frames that were not kept.", ["reason"])
ERRORS = Counter("vivavoce_errors", "Errors told to clients.", ["code"])
ABANDONED = Counter("vivavoce_revisions_abandoned", "Answers prepared in a pause for nothing.")
WASTED_CHARS = Counter(
    "vivavoce_wasted_reply_characters", "Text generated for answers that were abandoned."
)
WASTED_SPEECH = Counter(
    "vivavoce_wasted_speech_seconds", "Speech synthesised for answers that were abandoned."
)


def stages(stamps: Mapping[str, float]) -> dict[str, float]:
    """Seconds each stage of an answer took, from the moments at which things happened.

    `stamps` are on one clock: `spoke` (last voiced sample), `paused` (VAD noticed), `transcribing`,
    `transcribed`, `committed`, `started` (the LLM was asked), `first_token`, `first_clause`,
    `first_audio` (synthesised), `sent`. A stage whose moments are missing is left out. Stages
    overlap: they do not add up to `voice_to_voice`.
    """
    spans = {
        "vad": ("spoke", "paused"),
        "turn": ("spoke", "committed"),
        "stt": ("transcribing", "transcribed"),
        "llm_first_token": ("started", "first_token"),
        "llm": ("started", "first_clause"),
        "tts": ("first_clause", "first_audio"),
        "voice_to_voice": ("spoke", "sent"),
    }
    return {
        name: stamps[end] - stamps[begin]
        for name, (begin, end) in spans.items()
        if begin in stamps and end in stamps
    }
