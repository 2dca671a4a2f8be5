"""uvicorn's WebSocket protocol, with one thing set right."""

from __future__ import annotations

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class Sockets(WebSocketsSansIOProtocol):
    """Knows that a handshake which was refused by a whole HTTP response is over.

    uvicorn 0.54 does not: each WebSocket refused with 401 was followed by the error "ASGI callable
    returned without completing handshake" in the log.
    """

    async def send(self, message: ASGISendEvent) -> None:
        """Send, and take note of a refusal's end."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True
