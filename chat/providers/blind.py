"""An `Llm` that is not shown images: a fallback may not see what the first one saw."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from chat.prompts import UNSEEN
from chat.providers import ChatOptions, Delta, Message
from chat.providers.wrapped import Wrapped


def without_images(messages: Sequence[Message]) -> Sequence[Message]:
    """The messages with a word in place of each image. Pure."""
    if not any(message.images for message in messages):
        return messages
    return [
        replace(
            message,
            text="\n".join(filter(None, [*[UNSEEN] * len(message.images), message.text])),
            images=(),
        )
        for message in messages
    ]


class Blind(Wrapped):
    """Asks the model inside without images."""

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        """Stream the reply; see `Llm`."""
        async with aclosing(self._llm.respond(without_images(messages), options)) as deltas:
            async for delta in deltas:
                yield delta
