"""The providers file: which language models there are, and what they may cost. TOML, checked.

Keys are never in it: it names the environment variables that hold them. `docs/providers.md`
explains every field; `docs/providers.example.toml` is an example.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chat.errors import ChatError
from chat.usage import Caps, Price

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$")]
Variable = Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")]
Address = Annotated[str, Field(pattern=r"^https?://[^\s@?#]+$")]
"""Without user, password or query: those are places for keys."""
Seconds = Annotated[float, Field(gt=0, le=3600)]
Money = Annotated[Decimal, Field(ge=0, le=1_000_000)]
Kind = Literal["llama-cpp", "openai-compatible", "anthropic"]
Consent = Literal["ask", "always", "never"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Timeouts(_Section):
    """Seconds that a provider is waited for."""

    connect: Seconds = 5.0
    first_token: Seconds = 30.0
    between_tokens: Seconds = 15.0


class Prices(_Section):
    """Money per million tokens."""

    input: Money = Decimal(0)
    output: Money = Decimal(0)

    def price(self) -> Price:
        """The same for the sums."""
        return Price(self.input, self.output)


class ProviderEntry(_Section):
    """One model at one provider; its name is the key of its table."""

    kind: Kind
    model: str = ""
    base_url: Address | None = None
    tier: Name = "standard"
    key_env: Variable | None = None
    timeouts: Timeouts = Timeouts()
    retries: int = Field(1, ge=0, le=5)
    price: Prices = Prices()
    context_tokens: int = Field(4096, ge=512)
    sees_images: bool = False
    fallback: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _fits_its_kind(self) -> ProviderEntry:
        if self.kind == "llama-cpp":
            if self.base_url or self.key_env:
                raise ValueError("llama-cpp runs in this process: no base_url, no key_env")
            if self.sees_images:
                raise ValueError("llama-cpp models see no images here")
        if self.kind == "openai-compatible" and not self.base_url:
            raise ValueError("base_url is missing, such as http://127.0.0.1:11434/v1")
        if self.kind == "anthropic" and not self.model:
            raise ValueError("model is missing")
        return self


class CapsEntry(_Section):
    """What one user may use in a day (UTC)."""

    tokens_per_day: int | None = Field(None, ge=0)
    money_per_day: Money | None = None

    def caps(self) -> Caps:
        """The same for the sums."""
        return Caps(self.tokens_per_day, self.money_per_day)


class ToolsEntry(_Section):
    """Bounds of the tools that a chat may use."""

    rounds: int = Field(8, ge=1, le=50)
    result_chars: int = Field(20_000, ge=100, le=1_000_000)
    call_seconds: Seconds = 60.0
    consent_seconds: Seconds = 300.0


class McpEntry(_Section):
    """An MCP server: a `command` to start and talk to, or the `url` of a streamable HTTP one."""

    command: tuple[str, ...] = ()
    url: Address | None = None
    key_env: Variable | None = None
    pass_env: tuple[Variable, ...] = ()
    consent: Consent = "ask"
    tools: dict[str, Consent] = {}

    @model_validator(mode="after")
    def _is_one_of_two(self) -> McpEntry:
        if bool(self.command) == bool(self.url):
            raise ValueError("give either command or url")
        if self.command and self.key_env:
            raise ValueError("key_env is for url; a command gets its keys by pass_env")
        if self.url and self.pass_env:
            raise ValueError("pass_env is for command; a url gets its key by key_env")
        return self


class ProvidersFile(_Section):
    """All of the file."""

    default: Name = ""
    providers: dict[Name, ProviderEntry] = Field(min_length=1)
    caps: CapsEntry = CapsEntry()
    tools: ToolsEntry = ToolsEntry()
    mcp: dict[Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,20}$")], McpEntry] = {}

    @model_validator(mode="after")
    def _names_are_known(self) -> ProvidersFile:
        if self.default and self.default not in self.providers:
            raise ValueError(f"default: there is no provider {self.default!r}")
        for name, entry in self.providers.items():
            for other in entry.fallback:
                if other not in self.providers or other == name:
                    raise ValueError(f"providers.{name}.fallback: there is no other {other!r}")
        return self

    @property
    def first(self) -> str:
        """The provider that is asked unless another is chosen."""
        return self.default or next(iter(self.providers))


def read_providers(path: Path) -> ProvidersFile:
    """Read and check the file. Raises `ChatError` `providers_file`, which names every mistake."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ChatError("providers_file", f"{path.name} cannot be read") from error
    return parse_providers(text, path.name)


def parse_providers(text: str, name: str = "providers.toml") -> ProvidersFile:
    """The file of that text; see `read_providers`. Pure."""
    try:
        return ProvidersFile.model_validate(tomllib.loads(text, parse_float=Decimal))
    except tomllib.TOMLDecodeError as error:
        raise ChatError("providers_file", f"{name} is no TOML: {error}") from error
    except ValidationError as error:
        # Never what was given: somebody may have put a key there.
        mistakes = error.errors(include_input=False, include_url=False, include_context=False)
        told = "; ".join(f"{_place(mistake['loc'])}{_told(mistake)}" for mistake in mistakes)
        raise ChatError("providers_file", f"{name}: {told}") from None


def key_of(variable: str | None, environment: Mapping[str, str], place: str) -> str:
    """The key that the environment holds under that name; empty where no name is given.

    Raises `ChatError` `providers_file`.
    """
    if variable is None:
        return ""
    if not (key := environment.get(variable, "").strip()):
        raise ChatError("providers_file", f"{place}: the environment has no {variable}")
    return key


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client may know of a provider: no address, no key, no price, no model's name."""

    name: str
    tier: str
    default: bool
    sees_images: bool


def shown(file: ProvidersFile) -> tuple[Shown, ...]:
    """All providers as a client sees them, in the file's order."""
    return tuple(
        Shown(name, entry.tier, name == file.first, entry.sees_images)
        for name, entry in file.providers.items()
    )


def _place(location: tuple[int | str, ...]) -> str:
    path = ".".join(str(part) for part in location if part != "[key]")
    return f"{path}: " if path else ""


def _told(mistake: Mapping[str, Any]) -> str:
    if mistake["type"] == "extra_forbidden":
        return "there is no such field"
    return str(mistake["msg"]).removeprefix("Value error, ")
