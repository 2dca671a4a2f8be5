"""An `Llm` whose replies say what they used and cost."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from chat.errors import ChatError
from chat.prompts import estimate_tokens, message_tokens, tool_tokens
from chat.providers import (
    ChatOptions,
    Delta,
    Finished,
    Llm,
    Message,
    TextDelta,
    ToolCall,
    Usage,
)
from chat.providers.wrapped import Wrapped
from chat.usage import Price, cost


class Priced(Wrapped):
    """Counts what `llm` is asked and says, under the name `provider`."""

    def __init__(self, llm: Llm, provider: str, price: Price) -> None:
        super().__init__(llm)
        self._provider = provider
        self._price = price

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        """Stream the reply; its `Finished` carries the usage, and `options.on_usage` is told.

        A reply that is interrupted is estimated: it was paid for up to there, and the prompt even
        if no word came. One that fails before its first word costs nothing.
        """
        said = ""
        begun = failed = False
        used: Usage | None = None
        try:
            async with aclosing(self._llm.respond(messages, options)) as deltas:
                async for delta in deltas:
                    begun = True
                    if isinstance(delta, Finished):
                        used = self._usage(messages, options, said, delta)
                        yield replace(
                            delta,
                            prompt_tokens=used.prompt_tokens,
                            completion_tokens=used.completion_tokens,
                            usage=used,
                        )
                    else:
                        said += _written(delta)
                        yield delta
        except ChatError:
            failed = True
            raise
        finally:
            if begun or not failed:
                used = used or self._usage(messages, options, said, Finished(""))
                if options.on_usage is not None:
                    options.on_usage(used)

    def _usage(
        self, messages: Sequence[Message], options: ChatOptions, said: str, counted: Finished
    ) -> Usage:
        prompt = counted.prompt_tokens or (
            sum(map(message_tokens, messages)) + sum(map(tool_tokens, options.tools))
        )
        completion = counted.completion_tokens or estimate_tokens(said)
        return Usage(
            provider=self._provider,
            model=self._llm.name,
            prompt_tokens=prompt,
            completion_tokens=completion,
            cost=cost(prompt, completion, self._price),
            estimated=not (counted.prompt_tokens and counted.completion_tokens),
        )


def _written(delta: TextDelta | ToolCall) -> str:
    return delta.text if isinstance(delta, TextDelta) else delta.name + delta.arguments
