"""Who answers whom: an owner's choice among the configured providers, counted and capped."""

from __future__ import annotations

from chat.answering import INSTRUCTIONS, Answerer
from chat.errors import ChatError
from chat.providers.metered import Metered
from chat.providers.pool import Pool
from chat.storage import Storage, preferences
from chat.talk import FindAnswerer
from chat.tools import Registry
from chat.tools.loop import Bounds
from chat.tools.toolbox import Toolbox
from chat.usage_rows import UsageRows


def answerers_of(
    pool: Pool,
    storage: Storage,
    *,
    instructions: str = INSTRUCTIONS,
    answer_tokens: int = 1024,
    temperature: float = 0.7,
    toolbox: Toolbox | None = None,
) -> FindAnswerer:
    """Finds who answers an owner: the provider that is named, or the one in the owner's settings,
    or the file's first. The prompt in the settings stands in place of `instructions`.

    A provider that is named and is not there is `llm_unknown`; one in the settings that is there
    no more is forgotten.
    """
    usage, caps = UsageRows(storage), pool.file.caps.caps()

    async def find(owner: str, name: str) -> Answerer:
        wished = await preferences.read(storage, owner)
        chosen = name or str(wished.get("model") or "")
        try:
            entry = pool.entry(chosen)
        except ChatError:
            if name:
                raise
            chosen = ""
            entry = pool.entry()
        return Answerer(
            Metered(pool.llm(chosen), owner, usage, caps),
            chosen or pool.file.first,
            instructions=str(wished.get("prompt") or instructions),
            context_tokens=pool.context_tokens(chosen),
            answer_tokens=answer_tokens,
            temperature=temperature,
            sees_images=entry.sees_images,
            tools=await toolbox.of(owner) if toolbox else Registry(),
            bounds=toolbox.bounds if toolbox else Bounds(),
        )

    return find
