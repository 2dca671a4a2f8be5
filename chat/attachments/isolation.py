"""Read what strangers sent in a process of its own, which may hang or die without harm.

The child has no environment, may use so much memory and processor time, may write no file, and is
killed when its time is over. It is started anew for every file, so nothing of one owner's file
meets another's.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from chat.attachments.examination import Seen, examine_image, examine_pdf
from chat.attachments.limits import Limits
from chat.errors import ChatError

_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from chat.attachments.isolation import main; "
    "main()"
)
_ROOT = Path(__file__).parents[2]
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "LANG": "C.UTF-8"}
_running = 0


async def examine(kind: Literal["image", "pdf"], data: bytes, limits: Limits) -> Seen:
    """What `data` holds, read in a process of its own.

    Raises `ChatError`: those of `examination`; `attachment_unreadable` if it takes too long or
    the reader dies; `attachment_overloaded` if too many are being read.
    """
    global _running  # noqa: PLW0603  one count for the service
    if _running >= limits.at_once * 8:
        raise ChatError("attachment_overloaded", "too many files are being read: try again")
    _running += 1
    try:
        async with _gate(limits.at_once):
            return await _ask_child(kind, data, limits)
    finally:
        _running -= 1


_gates: dict[tuple[int, int], asyncio.Semaphore] = {}


def _gate(at_once: int) -> asyncio.Semaphore:
    key = (id(asyncio.get_running_loop()), at_once)
    if key not in _gates:
        _gates.clear()  # gates of loops that are gone
        _gates[key] = asyncio.Semaphore(at_once)
    return _gates[key]


async def _ask_child(kind: str, data: bytes, limits: Limits) -> Seen:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-c",
        _START,
        str(_ROOT),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_ENVIRONMENT,
        close_fds=True,
    )
    order = json.dumps({"kind": kind, "limits": asdict(limits)}).encode()
    try:
        async with asyncio.timeout(limits.seconds):
            out, _ = await child.communicate(order + b"\n" + data)
    except TimeoutError:
        raise ChatError("attachment_unreadable", "the file takes too long to read") from None
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if child.returncode != 0:
        raise ChatError("attachment_unreadable", "the file cannot be read safely")
    head, _, body = out.partition(b"\n")
    answer: dict[str, Any] = json.loads(head)
    if "code" in answer:
        raise ChatError(answer["code"], answer["message"])
    return Seen(**answer, data=body)


def main() -> None:  # pragma: no cover  runs in the child, where coverage does not look
    """Read an order and the file from standard input, write the answer to standard output."""
    order = json.loads(sys.stdin.buffer.readline())
    limits = Limits(**order["limits"])
    _confine(limits)
    data = sys.stdin.buffer.read(limits.max_bytes + 1)
    out = sys.stdout.buffer
    try:
        seen = (examine_image if order["kind"] == "image" else examine_pdf)(data, limits)
    except ChatError as error:
        out.write(json.dumps({"code": error.code, "message": error.message}).encode())
        return
    head = {name: value for name, value in asdict(seen).items() if name != "data"}
    out.write(json.dumps(head).encode() + b"\n" + seen.data)


def _confine(limits: Limits) -> None:  # pragma: no cover  runs in the child
    try:
        import resource  # noqa: PLC0415  not on Windows
    except ImportError:
        return
    seconds = int(limits.seconds) + 1
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
