"""The API on a real server in the test's own loop, with a real storage and a scripted model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import uvicorn
from sqlalchemy import event
from starlette.applications import Starlette
from starlette.requests import Request

from chat import api
from chat.answering import Answerer
from chat.api.live import Hub
from chat.api.views import told
from chat.errors import ChatError
from chat.jobs import Hopeless, Kind, Kinds
from chat.jobs.in_process import InProcessJobs
from chat.jobs.transfers import make_exports, make_imports
from chat.providers import ChatOptions, Delta, Finished, Message, TextDelta
from chat.storage import Storage, jobs
from chat.storage.records import Job, JobPage
from chat.talk import FindAnswerer, Talk
from chat.tools import Registry
from chat.tools.toolbox import Toolbox
from tests.databases import opened

OWNER = {"x-owner": "anna"}
OTHER = {"x-owner": "boris"}


class ScriptedLlm:
    """Says its words one by one; `None` among them waits for `go`, an error is raised."""

    name = "scripted"
    device = "cpu"

    def __init__(self) -> None:
        self.words: list[str | BaseException | None] = ["Hello", " there", "."]
        self.go = asyncio.Event()
        self.prompts: list[list[Message]] = []
        self.closed = 0

    async def warm(self, messages: Sequence[Message]) -> None: ...

    async def expect(self, messages: Sequence[Message]) -> None: ...

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        self.prompts.append(list(messages))
        try:
            for word in self.words:
                if word is None:
                    await self.go.wait()
                elif isinstance(word, BaseException):
                    raise word
                else:
                    yield TextDelta(word)
            yield Finished("stop", 7, 3)
        finally:
            self.closed += 1

    async def close(self) -> None: ...


def kinds(storage: Storage) -> Kinds:
    """What jobs do here; a title's is made by nobody."""
    data_dir = storage.files.parent

    async def title(job: Job) -> None: ...

    async def fail(job: Job) -> None:
        raise Hopeless("no")

    return {
        "title": Kind(title),
        "export": Kind(make_exports(storage, data_dir)),
        "import": Kind(make_imports(storage, data_dir)),
        "bad": Kind(fail),
    }


@dataclass
class Desk:
    """A served API, a client of it that is `anna`, and what is behind it."""

    core: api.Core
    llm: Any
    client: httpx.AsyncClient
    storage: Storage
    queue: InProcessJobs
    statements: list[str] = field(default_factory=list)

    async def work(self) -> None:
        """Do all jobs that are due."""
        worker = asyncio.create_task(self.queue.run())
        try:
            while (await self.queued()).jobs or (await self.queued("running")).jobs:
                await asyncio.sleep(0.005)
        finally:
            worker.cancel()
            await asyncio.wait((worker,))

    async def settle(self) -> None:
        """Until nothing is left to do after an answer."""
        tasks = self.core.talk._running.tasks
        while tasks:
            await asyncio.wait(set(tasks))
            await asyncio.sleep(0)
        if (ticking := self.core.talk._running.ticking) is not None:
            await asyncio.wait((ticking,))  # it may be storing what was there a moment ago

    async def queued(self, state: Any = "queued") -> JobPage:
        return await jobs.list_page(self.storage, "anna", state=state)

    async def new(self, headers: Mapping[str, str] = OWNER, **body: Any) -> dict[str, Any]:
        answer = await self.client.post("/conversations", json=body, headers=dict(headers))
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def say(self, conversation: str, text: str = "Hi", **body: Any) -> dict[str, Any]:
        """Send and wait for the end of the stream: the last event's data, with the first's."""
        events = await self.stream(
            "POST", f"/conversations/{conversation}/messages", {"text": text, **body}
        )
        return {**events[0][1], "answer": events[-1][1]["answer"], "events": events}

    async def stream(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> list[tuple[str, Any]]:
        """All events of a stream that ends: (kind, data)."""
        async with self.reading(method, path, body, headers) as events:
            return [event async for event in events]

    @asynccontextmanager
    async def reading(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
        given: dict[str, Any] = {} if body is None else {"json": body}
        request = self.client.stream(method, path, headers={**(headers or {})}, **given)
        async with request as answer:
            if answer.status_code >= 300:
                await answer.aread()
            assert answer.status_code < 300, answer.text
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield parse(answer.aiter_lines())


async def parse(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, Any]]:
    kind = data = ""
    async for line in lines:
        if line.startswith("event: "):
            kind = line[7:]
        elif line.startswith("data: "):
            data = line[6:]
        elif not line and kind:
            yield kind, json.loads(data)
            kind = data = ""


def who(request: Request) -> str:
    owner = request.headers.get("x-owner")
    if owner is None:
        raise ChatError("missing_api_key", "who are you?")
    return owner


@asynccontextmanager
async def desk(
    folder: Path,
    *,
    database: str = "sqlite",
    limits: api.Limits | None = None,
    find: Callable[[Storage], FindAnswerer] | None = None,
    tools: Callable[[Storage], Toolbox] | None = None,
    stands: Callable[[Request], bool] = lambda _: True,
    **talking: Any,
) -> AsyncIterator[Desk]:
    async with opened(database, folder) as storage:
        toolbox = tools(storage) if tools else None
        async with _served(storage, limits, find, toolbox, stands, talking) as made:
            yield made


@asynccontextmanager
async def _served(
    storage: Storage,
    limits: api.Limits | None,
    find: Any,
    toolbox: Toolbox | None,
    stands: Any,
    talking: Any,
) -> AsyncIterator[Desk]:
    llm = ScriptedLlm()
    answering = talking.pop("answering", {})
    hub = Hub(kept=64, readers=4)
    queue = InProcessJobs(storage, kinds(storage))

    async def find_answerer(owner: str, name: str) -> Answerer:
        if name not in ("", "scripted"):
            raise ChatError("llm_unknown", f"there is no model {name!r}")
        registry = await toolbox.of(owner) if toolbox else Registry()
        return Answerer(made.llm, "scripted", tools=registry, **answering)

    async def first_exchange(owner: str, conversation_id: str) -> None:
        payload = {"conversation_id": conversation_id}
        await queue.enqueue(owner, "title", payload, key=f"title:{conversation_id}")

    def tell(owner: str, kind: str, value: Any) -> None:
        hub.publish(owner, kind, told(value))

    talk = Talk(
        storage,
        find(storage) if find else find_answerer,
        tell=tell,
        first_exchange=first_exchange,
        remember=toolbox.decide if toolbox else None,
        **talking,
    )
    core = api.Core(
        storage=storage,
        talk=talk,
        jobs=queue,
        live=hub,
        data_dir=storage.files.parent,
        models=lambda: (api.Choice("scripted", "free", True),),
        who=who,
        stands=stands,
        tools=lambda: toolbox,
        limits=limits or api.Limits(),
    )
    app = Starlette(routes=api.routes(core))
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.002)
    port = server.servers[0].sockets[0].getsockname()[1]
    base = f"http://127.0.0.1:{port}/api/v1"
    try:
        async with httpx.AsyncClient(base_url=base, headers=OWNER, timeout=20) as client:
            made = Desk(core, llm, client, storage, queue)
            for engine in {storage.disk.reader, storage.disk.writer}:
                event.listen(engine.sync_engine, "before_cursor_execute", _count(made))
            yield made
    finally:
        llm.go.set()
        await talk.close()
        server.should_exit = True
        server.force_exit = True
        await serving


def _count(made: Desk) -> Any:
    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            made.statements.append(statement)

    return note
