"""A language model that calls tools, for the server to answer with: POST /v1/chat/completions.

The embedded model is too small to use tools. This one has rules instead of weights: offered tools
and not yet given an output, it calls the first; given an output, it says it; otherwise it talks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

ARGUMENTS = {"city": "Paris"}


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        request = json.loads(self.rfile.read(length))
        chunks = [*_deltas(request), {"choices": [], "usage": USAGE}]
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        body = "".join([*lines, "data: [DONE]\n\n"]).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


USAGE = {"prompt_tokens": 40, "completion_tokens": 12}


def _deltas(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    last = request["messages"][-1]
    if request.get("tools") and last["role"] == "user":
        name = request["tools"][0]["function"]["name"]
        function = {"name": name, "arguments": json.dumps(ARGUMENTS)}
        call = {"index": 0, "id": "call_weather", "type": "function", "function": function}
        yield _choice({"role": "assistant", "tool_calls": [call]})
        yield _choice({}, "tool_calls")
        return
    said = f"I looked it up. {last['content']}" if last["role"] == "tool" else "Good morning."
    for word in said.split(" "):
        yield _choice({"content": f"{word} "})
    yield _choice({}, "stop")


def _choice(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


@contextmanager
def answering() -> Iterator[str]:
    """Serve on a free port for as long as the block lasts; gives the base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Exchange)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
