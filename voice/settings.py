"""Every setting of the service: one frozen, validated tree, read once at start.

A value comes from, in this order, the command line, an environment variable `VIVAVOCE_*`, the
settings file (`vivavoce.toml` in the working directory, or the file named by `VIVAVOCE_CONFIG`),
or the default here. `VIVAVOCE_LLM_BASE_URL` is `base_url` in the section `[llm]`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from voice.errors import ConfigError

PREFIX = "VIVAVOCE_"
Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
Threads = Annotated[int, Field(ge=1, le=256)]
Count = Annotated[int, Field(ge=1)]


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
        160, ge=0, le=5000, description="Speech this long over a reply interrupts it."
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


class TtsSettings(Section):
    """Speech synthesis."""

    engine: str = Field("kokoro", description="Speech synthesis engine.")
    voice: str = Field("af_heart", description="Voice of the replies.")
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


class Settings(BaseSettings):
    """The whole tree; see the module for where values come from."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on; any but loopback's needs API keys (`vivavoce keys`).",
    )
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    data_dir: Path = Field(Path("data"), description="Folder for weights and everything stored.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where models run.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is logged."
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Host names to answer to, beside loopback's (JSON list)."
    )
    allowed_origins: tuple[str, ...] = Field(
        (), description="Web origins that may connect, beside the server's own (JSON list)."
    )
    require_keys: bool = Field(
        False,
        description="Ask for an API key even where none was made; with one made, or on another "
        "address than loopback's, a key is asked for anyway.",
    )
    speech_dir: Path | None = Field(
        None, description="Recorded speech with transcripts, for benchmarks and accuracy tests."
    )
    vad: VadSettings = VadSettings()
    turn: TurnSettings = TurnSettings()
    stt: SttSettings = SttSettings()
    tts: TtsSettings = TtsSettings()
    llm: LlmSettings = LlmSettings()
    wyoming: WyomingSettings = WyomingSettings()
    limits: LimitSettings = LimitSettings()

    @property
    def keys_file(self) -> Path:
        """The file the API keys are kept in, hashed."""
        return self.data_dir / "keys.json"

    @property
    def weights(self) -> Path:
        """The folder the weights are installed under."""
        return self.data_dir / "models"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, environment, file; no dotenv, no secrets folder."""
        return (
            init_settings,
            env_settings,
            TomlConfigSettingsSource(settings_cls, toml_file=settings_file()),
        )


def settings_file() -> Path | None:
    """The settings file in use; `ConfigError` if `VIVAVOCE_CONFIG` names one that is not there."""
    named = os.environ.get(f"{PREFIX}CONFIG")
    path = Path(named) if named else Path("vivavoce.toml")
    if path.is_file():
        return path
    if named:
        raise ConfigError(f"{PREFIX}CONFIG names {named}, which is not a file")
    return None


def read_settings(**given: Any) -> Settings:
    """Read and validate all settings; `given` (the command line) goes first, None is not given.

    Raises `ConfigError` with one line that names every wrong setting, unknown names included.
    """
    unknown = sorted(set(_prefixed(os.environ)) - set(env_names()) - {f"{PREFIX}CONFIG"})
    if unknown:
        raise ConfigError(
            f"unknown setting {', '.join(unknown)}; `vivavoce config` lists what there is"
        )
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise ConfigError("; ".join(_complaints(error))) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{settings_file()} is not valid TOML: {error}") from None


def env_names() -> dict[str, str]:
    """Every environment variable there is: name -> dotted name in the tree."""
    return {
        PREFIX + dotted.replace(".", "_").upper(): dotted for dotted, _, _ in walk(Settings, None)
    }


def walk(model: type[BaseModel], values: BaseModel | None) -> Iterator[tuple[str, str, Any]]:
    """Yield (dotted name, description, value) for each setting; the value is the default
    where no `values` are given.
    """
    for name, field in model.model_fields.items():
        value = getattr(values, name) if values is not None else field.get_default()
        if isinstance(value, Section):
            for below, description, inner in walk(type(value), value):
                yield f"{name}.{below}", description, inner
        else:
            yield name, field.description or "", value


def origins(settings: Settings, given: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Yield (dotted name, value, where it came from) for each setting."""
    environment = set(_prefixed(os.environ))
    path = settings_file()
    in_file = _flatten(tomllib.loads(path.read_text())) if path else {}
    names = {dotted: env for env, dotted in env_names().items()}
    for dotted, _, value in walk(Settings, settings):
        if given.get(dotted) is not None:
            yield dotted, value, "command line"
        elif names[dotted] in environment:
            yield dotted, value, names[dotted]
        elif dotted in in_file:
            yield dotted, value, str(path)
        else:
            yield dotted, value, "default"


def _prefixed(environment: Mapping[str, str]) -> Iterator[str]:
    return (name.upper() for name in environment if name.upper().startswith(PREFIX))


def _flatten(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{above}{key}.")
        else:
            flat[f"{above}{key}"] = value
    return flat


def _complaints(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_input=False, include_url=False):
        dotted = ".".join(str(part) for part in problem["loc"])
        name = PREFIX + dotted.replace(".", "_").upper()
        yield f"{name} ({dotted}): {problem['msg']}"
