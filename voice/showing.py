"""How a reply's Markdown looks, told to the page while the reply grows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from chat.rendering import Rendering
from voice.protocol import server as wire
from voice.response import Reply

RENDER_SECONDS = 0.25
"""How often a written reply is rendered while it grows; a spoken one is at its end."""

_MARKED = re.compile(r"[*_`#|~\[\]<>]|https?://|^\s*(?:[-+]|\d+[.)])\s|\n", re.MULTILINE)
"""Anything that could be Markdown: a plain sentence need not be told twice."""


async def show(reply: Reply, put: Callable[[wire.ServerEvent], None]) -> None:
    """Tell how `reply` looks, from when it is let out until it is done."""
    await reply.released.wait()
    rendering = Rendering()
    seen, finished = 0, ""
    while True:
        last = reply.done
        if last or (not reply.spoken and len(reply.text) > seen):
            more, seen = reply.text[seen:], len(reply.text)
            done, unfinished = rendering.feed(more)
            finished += done
            html = finished + (rendering.end() if last else unfinished)
            if _MARKED.search(reply.text):
                put(wire.ItemRendered(item_id=reply.item_id, html=html))
        if last:
            return
        await asyncio.sleep(RENDER_SECONDS)
