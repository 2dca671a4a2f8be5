"""The sections of the settings tree: every name, its default, its bounds and what it is for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from voice.pins import is_hash

Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
Threads = Annotated[int, Field(ge=1, le=256)]
Count = Annotated[int, Field(ge=1)]
LanguageCode = Annotated[str, Field(pattern="^[a-z]{2,3}$")]


class Section(BaseModel):
    """A frozen group of settings that knows all its names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class VadSettings(Section):
    """Voice activity detection."""

    engine: str = Field("silero", description="Voice activity engine.")
    threshold: float = Field(
        0.5, gt=0, lt=1, description="Speech probability at which a frame counts as speech."
    )
    start_ms: int = Field(
        64, ge=32, le=1000, description="Speech this long starts an utterance (milliseconds)."
    )
    pause_ms: int = Field(
        96,
        ge=32,
        le=2000,
        description="Silence this long makes a pause, where work on the "
        "answer begins (milliseconds).",
    )
    prefix_ms: int = Field(
        300,
        ge=0,
        le=2000,
        description="Sound kept from before the detected start, so that first "
        "syllables are not clipped (milliseconds).",
    )
    echo: bool = Field(
        True,
        description="Take the assistant's own voice out of what the microphone hears, beside "
        "whatever the client's echo cancellation does.",
    )


class TurnSettings(Section):
    """When the user's turn ends and what happens around it."""

    engine: str = Field("smart-turn", description="Turn detector engine.")
    eagerness: Literal["low", "medium", "high", "auto"] = Field(
        "auto", description="How soon `semantic_vad` takes the floor; `auto` is `medium`."
    )
    silence_ms: int = Field(
        500, ge=100, le=10_000, description="Silence that ends a turn under `server_vad`."
    )
    speculation: Literal["off", "stt", "llm", "tts"] = Field(
        "tts",
        description="How far the answer is prepared during a pause, before the turn is "
        "known to be over. A paid LLM may want `stt`.",
    )
    reopen_ms: int = Field(
        1200,
        ge=0,
        le=10_000,
        description="Speech that resumes this soon after the end of a turn, "
        "before the reply is audible, continues that turn.",
    )
    interrupt_ms: int = Field(
        160,
        ge=0,
        le=5000,
        description="Sound over a reply that is shorter than this is let pass (milliseconds).",
    )
    interrupt_speaking: Literal["low", "medium", "high"] = Field(
        "medium",
        description="How easily speech interrupts a reply that is heard. `high`: any speech does; "
        "`medium`: words do, but no backchannel (mm-hm) or noise; `low`: several words. "
        '"Stop", "wait" and "no" always do.',
    )
    interrupt_thinking: Literal["low", "medium", "high"] = Field(
        "high", description="The same while nothing of the reply can be heard yet."
    )
    idle_ms: int = Field(
        0,
        ge=0,
        le=3_600_000,
        description="After so long a silence the assistant asks whether the user is there; 0: "
        "never. `idle_timeout_ms` of `server_vad` goes before it.",
    )
    idle_prompts: int = Field(
        1, ge=1, le=100, description="How often in a row it asks so, without an answer."
    )
    noise_seconds: Seconds = Field(
        10.0,
        description="A turn in which no new word is understood for so long is ended, or dropped "
        "where none was (needs `stt.partial_ms`); 0: never.",
    )
    tool_wait_ms: int = Field(
        4000,
        ge=0,
        le=600_000,
        description="When a function that was called has not answered for so long, the assistant "
        "says that it takes a moment, once; 0: never.",
    )
    tool_phrase: str = Field(
        "", description="What it says then; empty takes a phrase in the voice's language."
    )
    max_seconds: Seconds = Field(
        120.0, gt=1, description="A turn longer than this is ended (noise never ends by itself)."
    )


class SttSettings(Section):
    """Speech recognition."""

    engine: str = Field("faster-whisper", description="Speech recognition engine.")
    model: str = Field("whisper-base", description="Folder of the weights under `models/`.")
    threads: Threads = Field(
        1,
        description="CPU threads for recognition; a second one slows short sentences down on two "
        "cores, and the turn detector works beside it.",
    )
    partial_ms: int = Field(
        700,
        ge=0,
        le=10_000,
        description="Speech after which a partial transcript is made, again and again "
        "(milliseconds); 0 makes none.",
    )
    partial_share: float = Field(
        0.3,
        gt=0,
        le=1,
        description="Share of the time that partial transcripts may take; under load they yield.",
    )
    language: str | None = Field(
        None, pattern="^[a-z]{2,3}$", description="Language spoken; unset detects it."
    )
    languages: tuple[LanguageCode, ...] = Field(
        (),
        description="The only languages there are to detect (JSON list, such as "
        '`["en", "fr"]`); empty: those of the voice and of the browser, and any that a whole '
        "sentence was understood in.",
    )


class TtsSettings(Section):
    """Speech synthesis."""

    engine: str = Field("kokoro", description="Speech synthesis engine.")
    voice: str = Field("af_heart", description="Voice of the replies.")
    follow_language: bool = Field(
        True,
        description="Reply in a voice of the language that was spoken, where the voice is of "
        "another one. Turn it off where the assistant answers in another language, as an "
        "interpreter does.",
    )
    voices: dict[LanguageCode, str] = Field(
        {
            "en": "af_heart",
            "es": "ef_dora",
            "fr": "ff_siwis",
            "hi": "hf_alpha",
            "it": "if_sara",
            "ja": "jf_alpha",
            "pt": "pf_dora",
            "zh": "zf_xiaobei",
        },
        description="The voice of each language then (JSON object); for one that is not listed, "
        "the first voice there is of it.",
    )
    speed: float = Field(1.0, ge=0.25, le=4.0, description="Rate of speech, 1 is natural.")
    threads: Threads = Field(2, description="CPU threads for synthesis.")
    lead_seconds: Seconds = Field(
        30.0, gt=0, description="How far synthesis may run ahead of the listener."
    )


class LlmSettings(Section):
    """The language model that answers."""

    provider: Literal["auto", "llama-cpp", "openai-compatible"] = Field(
        "auto",
        description="`auto` takes the endpoint at `base_url` if there is one, otherwise "
        "the embedded model.",
    )
    base_url: str = Field(
        "",
        pattern="^(https?://.+)?$",
        description="An OpenAI-compatible endpoint, such as http://127.0.0.1:11434/v1 for Ollama.",
    )
    model: str = Field("", description="Model name at the endpoint, or the file of an own GGUF.")
    api_key: SecretStr = Field(SecretStr(""), description="Key for the endpoint.")
    instructions: str = Field("", description="System prompt; empty takes the built-in one.")
    max_tokens: int = Field(512, ge=1, le=32_768, description="Longest reply, in tokens.")
    temperature: float = Field(0.6, ge=0, le=2, description="Sampling temperature.")
    context_tokens: int = Field(2048, ge=512, description="Context given to the model, in tokens.")
    threads: Threads = Field(
        1,
        description="CPU threads of the embedded model; on two cores a second one slows the "
        "synthesiser more than it helps.",
    )
    connect_timeout: Seconds = Field(5.0, gt=0, description="Seconds to reach the endpoint.")
    first_token_timeout: Seconds = Field(30.0, gt=0, description="Seconds to the first token.")
    between_tokens_timeout: Seconds = Field(15.0, gt=0, description="Seconds between tokens.")


class WyomingSettings(Section):
    """The Wyoming protocol, for Home Assistant."""

    host: str = Field(
        "127.0.0.1",
        description="Address that Wyoming clients are listened for on. The protocol knows no keys: "
        "whoever reaches it may use the models.",
    )
    port: int = Field(
        0, ge=0, le=65_535, description="Port for Wyoming clients, usually 10300; 0 is off."
    )


class ResumeSettings(Section):
    """Sessions whose client lost its connection (the page; others begin anew)."""

    seconds: Seconds = Field(
        90.0, description="How long a session waits for its client to come back; 0: not at all."
    )
    replay_bytes: Count = Field(
        4 * 2**20,
        description="Of what was sent, the newest so many bytes are kept to be sent again.",
    )
    url: SecretStr = Field(
        SecretStr(""),
        description="Redis or Valkey, such as `redis://127.0.0.1:6379/0`, that keeps conversations "
        "for so long too: they outlive a restart of the server. Empty: none.",
    )


def _pin_hash(secret: SecretStr) -> SecretStr:
    if (kept := secret.get_secret_value()) and not is_hash(kept):
        raise ValueError("this is no hash that `python -m voice.pins` made")
    return secret


class KioskSettings(Section):
    """The page at `/kiosk`: an assistant that nobody tends."""

    title: str = Field("", max_length=80, description="The large words that invite; empty: ours.")
    greeting: str = Field("", max_length=300, description="What is written below them.")
    prompt: str = Field(
        "", max_length=8000, description="System prompt of the kiosk; empty takes that of `llm`."
    )
    voice: str = Field("", description="Voice of the kiosk; empty takes that of `tts`.")
    languages: tuple[LanguageCode, ...] = Field(
        (), description="Languages that visitors are likely to speak, most likely first."
    )
    page_language: Literal["", "en", "de", "fr", "es", "ja", "ar"] = Field(
        "", description="Language of the words on the screen; empty: the browser's."
    )
    theme: Literal["", "light", "dark"] = Field("", description="Colours; empty: the system's.")
    contrast: Literal["", "more"] = Field("", description="`more`: high contrast.")
    wake_phrase: str = Field(
        "", max_length=60, description="What a visitor has to say first; empty: anything."
    )
    followup_seconds: Seconds = Field(
        12.0, gt=1, description="How long after an answer no wake phrase is needed."
    )
    idle_seconds: Seconds = Field(
        45.0,
        ge=5,
        description="After so long without a word or a touch the visitor's conversation is "
        "wiped, on the screen and on the server.",
    )
    pin_hash: Annotated[SecretStr, AfterValidator(_pin_hash)] = Field(
        SecretStr(""),
        description="Hash of the operator's PIN to leave the kiosk; `echo 1234 | python -m "
        "voice.pins` makes one. Empty: the operator's gesture alone leaves it.",
    )


class StorageSettings(Section):
    """Where conversations are kept, and their backups."""

    url: SecretStr = Field(
        SecretStr(""),
        description="Database: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`. Empty: "
        "the file `vivavoce.db` in the data folder.",
    )
    undo_seconds: int = Field(
        86_400,
        ge=60,
        description="How long a deleted conversation can be restored before it is gone for good.",
    )
    recordings: bool = Field(
        False,
        description="Whether the sound of what is said is kept with its message: turns as the "
        "microphone gave them, replies as far as they were heard.",
    )
    backup_hours: float = Field(
        0.0,
        ge=0,
        le=8760,
        allow_inf_nan=False,
        description="Hours between the backups that are written to `backups` in the data folder; "
        "0: none are.",
    )
    backup_keep: Count = Field(7, description="How many of those backups are kept.")
    backup_passphrase: SecretStr = Field(
        SecretStr(""),
        description="Encrypts backups, those of `vivavoce backup` as well; whoever restores one "
        "needs it. Empty: they are not encrypted.",
    )


class JobsSettings(Section):
    """Titles, exports, backups and the like, which run in the background."""

    url: SecretStr = Field(
        SecretStr(""),
        description="Redis or Valkey that shares them out among several servers on one database. "
        "Empty: each server looks into the database by itself.",
    )


class MailSettings(Section):
    """The server that takes e-mail; without a host none is sent."""

    host: str = Field("", description="Its name.")
    port: int = Field(587, ge=1, le=65_535, description="Its port.")
    sender: str = Field("", description="Address that e-mail comes from.")
    security: Literal["tls", "starttls", "none"] = Field(
        "starttls",
        description="`tls` from the first byte (usually port 465), `starttls` (587), or `none`, "
        "for a server on this machine.",
    )
    user: str = Field("", description="Name to sign in with; empty: no sign-in.")
    password: SecretStr = Field(SecretStr(""), description="Its password.")


class LimitSettings(Section):
    """What one client may ask of the server."""

    sessions: Count = Field(16, description="Sessions at a time; the next is refused.")
    message_bytes: Count = Field(
        16 * 2**20,
        ge=65_536,
        description="Largest WebSocket message; a larger one closes the connection with 1009.",
    )
    append_bytes: Count = Field(
        2**20,
        ge=4096,
        description="Largest piece of audio in one message, in bytes of PCM; a "
        "larger one is answered by an error.",
    )
    buffer_seconds: Seconds = Field(
        300.0, gt=1, description="Longest uncommitted audio; older audio is dropped and counted."
    )
    messages_per_second: Count = Field(
        500, description="Messages taken from one client; a faster one is slowed down."
    )
    text_chars: Count = Field(32_000, description="Longest text of one item or instruction.")
    items: Count = Field(2_000, description="Items in one conversation; the oldest are dropped.")
    tools: Count = Field(128, description="Tools in one session.")
    outbound_seconds: Seconds = Field(
        60.0, gt=1, description="Audio waiting to be sent before synthesis pauses."
    )
    outbound_messages: Count = Field(
        5_000, description="Messages waiting to be sent before the session is closed."
    )
    send_timeout: Seconds = Field(
        20.0, gt=0, description="Seconds a client may refuse to read before it is closed."
    )
    session_seconds: Seconds = Field(3600.0, gt=1, description="Longest session.")
    lane_jobs: Count = Field(32, description="Jobs that may wait for one model.")
    requests: Count = Field(32, description="HTTP API requests at a time; the next is refused.")
    upload_bytes: Count = Field(
        25 * 2**20, description="Largest recording to be transcribed, in bytes of the file."
    )
    upload_seconds: Seconds = Field(
        1800.0, gt=0, description="Longest recording to be transcribed, in seconds."
    )
    speech_chars: Count = Field(4096, description="Longest text to be spoken in one request.")
