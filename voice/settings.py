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
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from voice.errors import ConfigError
from voice.sections import (
    JobsSettings,
    KioskSettings,
    LimitSettings,
    LlmSettings,
    MailSettings,
    ResumeSettings,
    Section,
    StorageSettings,
    SttSettings,
    TtsSettings,
    TurnSettings,
    VadSettings,
    WyomingSettings,
)

PREFIX = "VIVAVOCE_"


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
    providers_file: Path | None = Field(
        None,
        description="TOML file of several language models, in place of the section `llm`'s one: "
        "see docs/providers.md.",
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
    resume: ResumeSettings = ResumeSettings()
    kiosk: KioskSettings = KioskSettings()
    storage: StorageSettings = StorageSettings()
    jobs: JobsSettings = JobsSettings()
    mail: MailSettings = MailSettings()
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
    others = {f"{PREFIX}CONFIG", f"{PREFIX}KEY"}  # where settings are; the key `ask` shows
    unknown = sorted(set(_prefixed(os.environ)) - set(env_names()) - others)
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
        elif any(name == dotted or name.startswith(f"{dotted}.") for name in in_file):
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
