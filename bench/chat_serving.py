"""A server with the conversations' API alone and a model that speaks at a set pace, for load."""

from __future__ import annotations

import argparse
import asyncio
import cProfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request

from chat import api
from chat.answering import Answerer
from chat.api.live import Hub
from chat.jobs import Kind
from chat.jobs.in_process import InProcessJobs
from chat.providers import ChatOptions, Delta, Finished, Message, TextDelta
from chat.storage import open_storage
from chat.storage.records import Job
from chat.talk import Talk


class PacedLlm:
    """Says so many words a second; the last user's text is among them."""

    name = "paced"
    device = "cpu"

    def __init__(self, words: int, words_a_second: float) -> None:
        self._words, self._pause = words, 1 / words_a_second

    async def warm(self, messages: Sequence[Message]) -> None:
        """Nothing."""

    async def expect(self, messages: Sequence[Message]) -> None:
        """Nothing."""

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        """The words, one by one."""
        yield TextDelta(f"To {messages[-1].text!r}:")
        for number in range(self._words):
            await asyncio.sleep(self._pause)
            yield TextDelta(f" word{number}")
        yield Finished("stop", 10, self._words)

    async def close(self) -> None:
        """Nothing."""


async def serve(port: int, folder: Path, url: str, llm: PacedLlm) -> None:
    """Serve until interrupted. The owner is who the header `x-owner` says."""
    storage = await open_storage(url, data_dir=folder)
    hub = Hub()

    async def nothing(job: Job) -> None: ...

    queue = InProcessJobs(storage, {"title": Kind(nothing)})

    async def find_answerer(owner: str, name: str) -> Answerer:
        return Answerer(llm, "paced")

    async def first_exchange(owner: str, conversation_id: str) -> None:
        payload = {"conversation_id": conversation_id}
        await queue.enqueue(owner, "title", payload, key=f"title:{conversation_id}")

    def tell(owner: str, kind: str, value: Any) -> None:
        hub.publish(owner, kind, api.told(value))

    def who(request: Request) -> str:
        return request.headers.get("x-owner", "local")

    talk = Talk(
        storage, find_answerer, tell=tell, first_exchange=first_exchange, most=5000, most_each=5000
    )
    core = api.Core(storage=storage, talk=talk, jobs=queue, live=hub, data_dir=folder, who=who)
    app = Starlette(routes=api.routes(core))
    config = uvicorn.Config(
        app,
        port=port,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=3,
    )
    working = asyncio.create_task(queue.run())
    try:
        await uvicorn.Server(config).serve()
    finally:
        working.cancel()
        await talk.close()
        await storage.close()


def main() -> None:
    """The process that `bench.chat_load` starts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", default="")
    parser.add_argument("--profile", default="", help="cProfile of all this into a file")
    parser.add_argument("--words", type=int, default=60)
    parser.add_argument("--pace", type=float, default=20.0)
    given = parser.parse_args()
    llm = PacedLlm(given.words, given.pace)
    config = uvicorn.Config(None)  # type: ignore[arg-type]  # only for the loop it would choose
    profiler = cProfile.Profile() if given.profile else None
    with (
        suppress(KeyboardInterrupt),
        profiler or nullcontext(),
        asyncio.Runner(loop_factory=config.get_loop_factory()) as runner,
    ):
        runner.run(serve(given.port, given.folder, given.url, llm))
    if profiler is not None:
        profiler.dump_stats(given.profile)


if __name__ == "__main__":
    main()
