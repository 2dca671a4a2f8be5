"""An `Llm` that uses tools by itself: for the voice, where nobody can be asked for consent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from chat.providers import ChatOptions, Delta, Finished, Llm, Message, TextDelta, ToolCall
from chat.providers.wrapped import Wrapped
from chat.tools import Registry
from chat.tools.loop import Bounds, answer_call
from chat.tools.rounds import next_messages, next_options, wants_calls, whole


class WithTools(Wrapped):
    """`llm` with those of the tools that `find` gives which need no asking.

    Tools in `ChatOptions.tools` are the caller's own and stay so: when the model calls one of
    them, the reply ends with that call as it would without this.
    """

    def __init__(self, llm: Llm, find: Callable[[], Awaitable[Registry]], bounds: Bounds) -> None:
        super().__init__(llm)
        self._find = find
        self._bounds = bounds

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        """Stream the reply, calling tools on the way. Raises the model's `ChatError`."""
        theirs = {tool.name for tool in options.tools}
        found = await self._find()
        ours = Registry(
            one for one in found if one.consent == "always" and one.tool.name not in theirs
        )
        if not ours.tools or options.tool_choice not in ("auto", "required"):
            async with aclosing(self._llm.respond(messages, options)) as deltas:
                async for delta in deltas:
                    yield delta
            return
        options = replace(options, tools=(*options.tools, *ours.tools))
        prompt, parts, rounds = list(messages), list[Finished](), self._bounds.rounds
        for number in range(rounds):
            text, calls, finished = "", list[ToolCall](), Finished("stop")
            wanted = next_options(options, number, rounds)
            async with aclosing(self._llm.respond(prompt, wanted)) as deltas:
                async for delta in deltas:
                    match delta:
                        case TextDelta():
                            text += delta.text
                            yield delta
                        case ToolCall():
                            calls.append(delta)
                        case Finished():
                            finished = delta
            parts.append(finished)
            foreign = [call for call in calls if call.name in theirs]
            for call in foreign:
                yield call
            if foreign or not wants_calls(calls, finished) or number == rounds - 1:
                break
            answers = [await answer_call(c, ours.get(c.name), _nobody, self._bounds) for c in calls]
            prompt = next_messages(prompt, text, calls, [answer.output for answer in answers])
        yield whole(parts)


async def _nobody(_: ToolCall) -> bool:
    return False
