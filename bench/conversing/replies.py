"""A language model that says what it is given: an OpenAI-compatible endpoint on loopback.

Whoever wants to know what became of a reply must know its text beforehand. What a request asks is
passed over; each gets the next text, word by word. Only where it offers tools and none has been
used yet, the first of them is called.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from bench.endpoint import endpoint

LONG = (
    "Good bread begins the evening before. You mix flour, water, salt and a spoon of old dough, "
    "and leave the bowl under a cloth in a cool corner of the kitchen. In the morning the dough "
    "has doubled and smells a little sour. Now fold it from all four sides, turn it over, and let "
    "it rest again while the oven gets hot. A heavy iron pot keeps the steam close to the crust. "
    "Put the loaf in, close the lid, and wait until the house smells of toast. Then take off the "
    "lid so that the crust turns brown. The hardest part comes last: let the bread cool before "
    "you cut it, because the middle is still baking.",
    "The path to the lighthouse leaves the village behind the church. At first it follows a stone "
    "wall, where sheep look over at you, and then it climbs through yellow grass to the edge of "
    "the cliff. Keep the sea on your left hand and walk slowly, for the ground is soft after rain. "
    "Halfway along there is a wooden bench with a view of both islands. Many people turn back "
    "there, which is a pity. Behind the next hill the beach opens below you, wide and empty, and "
    "seals sleep on the flat rocks. The keeper of the lighthouse sells tea in paper cups and tells "
    "stories about winter storms to anyone who asks.",
    "A bicycle stays upright because the rider keeps steering under the fall. Lean to the right, "
    "and without thinking you turn the front wheel to the right, so the wheels roll back below "
    "your weight. The faster you go, the smaller those turns become. Even an empty bicycle does "
    "this for a while when you give it a push on a smooth road. Its front wheel is built so that "
    "it turns toward the side on which it leans. Children learn all this in an afternoon, usually "
    "at the moment when somebody lets go of the saddle. Nobody could have told them how, and none "
    "of them ever forgets it again.",
    "The garden wants something different from you every month. In March you cut back the roses "
    "and dig old leaves into the beds. April is for peas, carrots and patience, since a late frost "
    "can still spoil everything. By the middle of May the beans may go outside, and the first "
    "swallows come home to the barn. Summer means water, early in the morning, at the roots and "
    "never on the leaves. In September you carry baskets of apples to the cellar and put the small "
    "ones into a cake. When the ground freezes there is nothing left to do but sharpen the tools, "
    "read the catalogue of seeds, and plan too many rows.",
)
"""Replies of almost a minute; no number, no name that could be written in two ways."""

SHORT = (
    "That depends on the weather. If the sun is out, I would walk along the river and come "
    "back through the old market before lunch.",
    "My favourite is the small library near the station. It has tall windows, soft chairs and "
    "nobody ever tells you to hurry.",
)
"""Replies of some seven seconds: made long before they have been played."""

BRIEF = ("Yes, I think so.", "That is right.", "I would say so.")
"""Replies that are over at once."""

MARKDOWN = (
    "Here is **the plan** for today:\n\n- First, buy [two apples](https://example.com/a?b=c) "
    "for $3.50.\n- Second, `call home` before lunch.\n\nThat *should* be enough! \U0001f642",
)
READ = (("the plan",), ("two apples",), ("3 50", "three fifty", "three dollars"), ("call home",))
"""What must be heard of it, in one of these forms, without case and marks,"""

NOT_READ = ("asterisk", "star", "bracket", "dash", "http", "example", "backtick", "emoji", "face")
"""and what must not."""


@dataclass
class Given:
    """One reply as the endpoint gave it: its text, and when each word left (`perf_counter`)."""

    text: str
    words: list[float] = field(default_factory=list)


@dataclass
class Script:
    """What the endpoint says: `texts` in turn, `pace` seconds a word."""

    texts: Sequence[str] = LONG
    pace: float = 0.06
    url: str = ""
    given: list[Given] = field(default_factory=list)
    _next: int = 0

    def say(self, texts: Sequence[str], *, pace: float = 0.06) -> None:
        """From now on say these."""
        self.texts, self.pace, self._next = texts, pace, 0

    def meant(self, text: str) -> str | None:
        """What should be said from the beginning of `text` on; None if it is of no reply given."""
        begin = " ".join(text.split())[:40]
        whole = (reply.text for reply in reversed(self.given) if begin and begin in reply.text)
        return next((text[text.index(begin) :] for text in whole), None)

    def words_after(self, text: str, moment: float) -> int:
        """How many words of the reply that ends in `text` left after `moment` (`perf_counter`)."""
        begun = [r for r in self.given if r.text.endswith(text) and r.words and r.words[0] < moment]
        return sum(at > moment for at in begun[-1].words) if begun else 0

    async def complete(self, request: Request) -> Response:
        """`POST /v1/chat/completions`, always streamed."""
        asked = await request.json()
        used = any(message["role"] == "tool" for message in asked["messages"])
        if asked.get("tools") and not used:
            name = asked["tools"][0]["function"]["name"]
            return StreamingResponse(self._use(name), media_type="text/event-stream")
        reply = Given(self.texts[self._next % len(self.texts)])
        self._next += 1
        self.given.append(reply)
        return StreamingResponse(self._stream(reply, self.pace), media_type="text/event-stream")

    async def models(self, _: Request) -> Response:
        """`GET /v1/models`."""
        return JSONResponse({"object": "list", "data": [{"id": "script", "object": "model"}]})

    async def _use(self, name: str) -> AsyncIterator[str]:
        call = {"index": 0, "id": "call_1", "type": "function"}
        yield _chunk({"tool_calls": [call | {"function": {"name": name, "arguments": "{}"}}]})
        yield _chunk({}, "tool_calls")
        yield "data: [DONE]\n\n"

    async def _stream(self, reply: Given, pace: float) -> AsyncIterator[str]:
        yield _chunk({"role": "assistant"})
        for number, word in enumerate(reply.text.split(" ")):
            await asyncio.sleep(pace)
            reply.words.append(time.perf_counter())
            yield _chunk({"content": f" {word}" if number else word})
        yield _chunk({}, "stop")
        yield "data: [DONE]\n\n"


def _chunk(delta: dict[str, Any], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    made = {"id": "1", "object": "chat.completion.chunk", "model": "script", "choices": [choice]}
    return f"data: {json.dumps(made)}\n\n"


@contextmanager
def scripted() -> Iterator[Script]:
    """The endpoint, on a thread of its own for as long as the block lasts."""
    script = Script()
    with endpoint(script.complete, script.models) as script.url:
        yield script
