"""What a language model must offer, and where each provider lives.

A provider is one file with `load(options) -> Llm` and one line in `PROVIDERS`. Nothing imports a
provider statically.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from chat.errors import ChatError


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model wants called; `arguments` is a JSON text.

    `extra` is what the provider wants back with the call, as it gave it; empty for most.
    """

    id: str
    name: str
    arguments: str
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in a message; `media_type` such as `image/png`, `data` the file's bytes."""

    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt, provider-neutral.

    A `tool` message answers the call `tool_call_id`; an `assistant` message may carry calls, a
    `user` message images, for models that see.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may ask for; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the reply's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What one request used: tokens, and money in the currency of the providers file.

    `estimated` says that the provider did not count, or the reply was broken off before it did.
    """

    provider: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cost: Decimal
    estimated: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a reply: why it ended (`stop`, `length`, `tool_calls`, `content_filter`) and the
    tokens the provider counted. Who answered and for how much is in `usage`, where a providers
    file says it.
    """

    reason: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usage: Usage | None = None


Delta = TextDelta | ToolCall | Finished
"""What a provider yields: text as it comes, whole tool calls, and one `Finished` at the end."""


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How the reply shall be made. `tool_choice`: `auto`, `none`, `required` or a tool's name.

    The reply ends before the first of `stop`. What is None is left to the model. `on_usage` is
    told once for every request made for this reply, however it ended; also for one that was
    interrupted, which has no `Finished`.
    """

    max_tokens: int = 512
    temperature: float = 0.7
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    on_usage: Callable[[Usage], None] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """What the composition root tells a provider."""

    weights: Path
    model: str = ""
    base_url: str = ""
    api_key: str = field(default="", repr=False)
    device: str = "auto"
    threads: int = 1
    context_tokens: int = 4096
    connect_timeout: float = 5.0
    first_token_timeout: float = 30.0
    between_tokens_timeout: float = 15.0
    retry: bool = True
    """Whether the provider itself asks once more when there is no answer; in a chain, that does."""


class Llm(Protocol):
    """A language model that streams its reply."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    @property
    def device(self) -> str:
        """Where it runs: `cpu`, `cuda`, `remote`."""
        ...

    async def warm(self, messages: Sequence[Message]) -> None:
        """Pay first-call costs; where there is a prompt cache, put `messages` into it."""
        ...

    async def expect(self, messages: Sequence[Message]) -> None:
        """A prompt that begins like this one may come soon: where that is free, read it now.

        Cancellable; it never fails. Where reading costs money, nothing happens.
        """
        ...

    def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        """Stream the reply to `messages`. Closing the generator, or cancelling the task that
        iterates it, stops the generation at the provider. Raises `ChatError`.
        """
        ...

    async def close(self) -> None:
        """Give back connections and memory."""
        ...


PROVIDERS: Mapping[str, str] = {
    "anthropic": "chat.providers.anthropic:load",
    "llama-cpp": "chat.providers.llama_cpp:load",
    "openai-compatible": "chat.providers.openai_compatible:load",
}
"""name -> "module:function"; the function takes `ProviderOptions`."""


def load_provider(name: str, options: ProviderOptions) -> Llm:
    """Import and load a provider (blocking). Raises `ChatError` if there is none of that name."""
    if name not in PROVIDERS:
        known = ", ".join(sorted(PROVIDERS))
        raise ChatError("llm_unknown", f"there is no provider {name!r}; known: {known}")
    module, function = PROVIDERS[name].split(":")
    loaded: Llm = getattr(import_module(module), function)(options)
    return loaded
