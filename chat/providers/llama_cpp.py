"""A GGUF language model inside this process, through llama.cpp (`xllamacpp`).

llama.cpp's server object does the work: continuous batching over a few slots, each with its own
prompt cache. It insists on an HTTP listener; it gets a Unix socket in a private folder that is
unlinked as soon as the model is loaded, so nothing can connect. Requests go through in-process
calls, one thread each, which block until the reply ends and call back for every token.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from chat.errors import ChatError
from chat.providers import ChatOptions, Delta, Message, ProviderOptions, TextDelta
from chat.providers.chat_completions import Json, StreamReader, request_body
from chat.providers.slots import Slots

log = logging.getLogger(__name__)

DEFAULT_MODEL = "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SLOTS = 4
"""Replies made at once, and conversations whose prompt stays evaluated."""

CPU_BATCH = 64
"""Prompt tokens evaluated in one go on a CPU. A generation can be stopped only between batches;
on the CPU larger ones gain nothing (measured: 115, 117 and 101 tokens/s at 64, 128 and 512)."""

NICENESS = 10
"""How far the model's threads step back behind the others of this process (Linux)."""

SEEDS = 2**32 - 1
"""How many seeds llama.cpp knows; the number after the last one asks it for a random one."""

SAVED_PROMPTS_MIB = 512
"""Memory for evaluated prompts of conversations that lost their slot to another."""


def load(options: ProviderOptions) -> LlamaCpp:
    """Load the model (blocking: a second for the starter model).

    Raises `ChatError` `llm_unreachable` if there is no such file, `llm_failed` if it is no model.
    """
    import xllamacpp  # noqa: PLC0415  native code: 100 MB that only this provider needs

    path = Path(options.model or DEFAULT_MODEL)
    if not path.is_absolute():
        path = options.weights / path
    if not path.is_file():
        raise ChatError("llm_unreachable", f"there is no language model file {path.name}")
    gpu = _find_gpu(xllamacpp.get_device_info(), options.device)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_parallel = SLOTS
    params.n_ctx = options.context_tokens * SLOTS
    params.n_gpu_layers = -1 if gpu else 0
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    if not gpu:
        params.n_batch = params.n_ubatch = CPU_BATCH
    params.cache_ram_mib = SAVED_PROMPTS_MIB
    params.verbosity = 1  # errors only
    params.ui = False
    params.n_threads_http = 1
    with tempfile.TemporaryDirectory(prefix="llama-") as private:
        params.hostnames = [f"{private}/s.sock"]
        others = _threads()
        try:
            server = xllamacpp.Server(params)
        except (RuntimeError, ValueError) as error:
            raise ChatError("llm_failed", f"{path.name} could not be loaded") from error
    if not gpu:
        _step_back(_threads() - others)
    return LlamaCpp(server, path.stem, gpu or "cpu", options)


def _threads() -> set[int]:
    """The ids of this process's threads, where the system tells them."""
    tasks = Path("/proc/self/task")
    return {int(task.name) for task in tasks.iterdir()} if tasks.is_dir() else set()


def _step_back(threads: set[int]) -> None:
    """Let these threads run when nobody else wants the core.

    A reply is generated faster than it is spoken, so what is said next can wait for the synthesis
    of what is said now; without this, the two share the cores evenly and the first words come late.
    """
    for thread in threads:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, NICENESS)


def _find_gpu(devices: Sequence[Mapping[str, Any]], wanted: str) -> str:
    """`cuda`, or another backend's name, or empty for the CPU."""
    gpus = [str(device["name"]) for device in devices if "GPU" in device["type"].name]
    if wanted == "cpu":
        return ""
    if gpus:
        return gpus[0].rstrip("0123456789").lower()
    if wanted != "auto":
        log.warning("no %s device for the language model: it runs on the CPU", wanted)
    return ""


class LlamaCpp:
    """The loaded model; use it from one event loop."""

    def __init__(self, server: Any, name: str, device: str, options: ProviderOptions) -> None:
        self.name = name
        self.device = device
        self._server = server
        self._options = options
        self._slots = Slots(SLOTS)
        self._threads = ThreadPoolExecutor(SLOTS, thread_name_prefix="llama")
        self._running: set[_Generation] = set()

    async def warm(self, messages: Sequence[Message]) -> None:
        """Evaluate `messages`: in every slot the first time, in one idle slot after that."""
        body = request_body(messages, ChatOptions(max_tokens=1, temperature=0))
        for _ in range(max(1, self._slots.unused)):
            generation = await self._start(body, messages, oldest=True)
            try:
                while await generation.next(self._options.first_token_timeout) is not None:
                    pass
            finally:
                await generation.stop()

    async def expect(self, messages: Sequence[Message]) -> None:
        """Evaluate `messages` in the slot where the reply to what begins with them will go on, if
        that leaves another for who wants a reply now.
        """
        if self._slots.idle < 2:
            return
        body = request_body(messages, ChatOptions(max_tokens=1, temperature=0))
        with suppress(ChatError):
            generation = await self._start(body, messages)
            try:
                while await generation.next(self._options.first_token_timeout) is not None:
                    pass
            finally:
                await generation.stop()

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        """Stream the reply; see `Llm`. When all slots are busy it waits `slots.BUSY_SECONDS`.

        Closing returns when the generation has stopped: one token later, or one prompt batch.
        """
        body = request_body(messages, options)
        if "seed" in body:
            body["seed"] %= SEEDS
        generation = await self._start(body, messages)
        reader = StreamReader()
        patience = self._options.first_token_timeout
        try:
            while (chunk := await generation.next(patience)) is not None:
                text = reader.feed(chunk)
                if text:
                    patience = self._options.between_tokens_timeout
                    yield TextDelta(text)
            if not reader.ended:
                raise ChatError("llm_dropped", "the language model was shut down")
            if reader.empty:
                raise ChatError("llm_empty", "the language model had nothing to say")
            for delta in reader.finish():
                yield delta
        finally:
            await generation.stop()

    async def close(self) -> None:
        """Stop what runs and free the model; no thread is left."""
        server, self._server = self._server, None
        for generation in list(self._running):
            await generation.stop()
        self._threads.shutdown(wait=True)
        last_reference = [server]
        del server
        await asyncio.to_thread(last_reference.clear)  # joins the model's own threads

    async def _start(
        self, body: Json, messages: Sequence[Message], *, oldest: bool = False
    ) -> _Generation:
        slot = await self._slots.take(messages, oldest=oldest)
        if self._server is None:
            self._slots.give(slot)
            raise ChatError("llm_failed", "the language model was shut down")
        body = {**body, "id_slot": slot.number, "cache_prompt": True, "return_progress": True}
        generation = _Generation(self._threads, self._server.handle_chat_completions, body)
        self._running.add(generation)

        def end(_: asyncio.Future[None]) -> None:
            self._running.discard(generation)
            self._slots.give(slot)

        generation.job.add_done_callback(end)
        return generation


class _Generation:
    """One request on its thread, and the chunks that came back so far."""

    def __init__(
        self,
        threads: ThreadPoolExecutor,
        complete: Callable[[Json, Callable[[Json], bool]], None],
        body: Json,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[Json | None] = asyncio.Queue()
        self._stopped = threading.Event()
        self.job = self._loop.run_in_executor(threads, complete, body, self._receive)
        self.job.add_done_callback(lambda _: self._chunks.put_nowait(None))

    async def next(self, patience: float) -> Json | None:
        """The next chunk, None after the last.

        Raises `ChatError` when the model fails or gives nothing for `patience` seconds.
        """
        try:
            async with asyncio.timeout(patience):
                chunk = await self._chunks.get()
        except TimeoutError:
            raise ChatError("llm_timeout", "the language model took too long") from None
        if chunk is None and (failure := self.job.exception()) is not None:
            raise ChatError("llm_failed", "the language model failed") from failure
        if chunk is not None and "error" in chunk:
            raise _refusal(chunk["error"])
        return chunk

    async def stop(self) -> None:
        """Have the generation stopped and wait until it has."""
        self._stopped.set()
        await asyncio.wait([self.job])

    def _receive(self, chunk: Json) -> bool:
        """Called on the request's thread for every chunk; True stops the generation."""
        if not self._stopped.is_set():
            self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)
        return self._stopped.is_set()


def _refusal(error: Mapping[str, Any]) -> ChatError:
    log.warning("language model: %s", error.get("message"))
    if error.get("type") == "exceed_context_size_error":
        return ChatError("llm_refused", "the conversation is too long for the language model")
    return ChatError("llm_failed", "the language model failed")
