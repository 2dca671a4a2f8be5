"""What a language model must offer, and where each provider lives.

A provider is one file with `load(options) -> Llm` and one line in `PROVIDERS`. Nothing imports a
provider statically.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from chat.errors import ChatError


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model wants called; `arguments` is a JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt, provider-neutral.

    A `tool` message answers the call `tool_call_id`; an `assistant` message may carry calls.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


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
class Finished:
    """The end of a reply: why it ended (`stop`, `length`, `tool_calls`) and what it cost."""

    reason: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


Delta = TextDelta | ToolCall | Finished
"""What a provider yields: text as it comes, whole tool calls, and one `Finished` at the end."""


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How the reply shall be made. `tool_choice`: `auto`, `none`, `required` or a tool's name.

    The reply ends before the first of `stop`. What is None is left to the model.
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


class Llm(Protocol):
    """A language model that streams its reply."""

    name: str
    device: str

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
