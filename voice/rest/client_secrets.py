"""`POST /v1/realtime/client_secrets`: what a browser connects with in place of a key."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from voice.errors import VoiceError
from voice.keys import client_secret
from voice.passes import Credential
from voice.planning import first_config
from voice.protocol import server as wire
from voice.protocol.config import SessionConfig, SessionPatch, merge, show
from voice.rest.service import Rest, read_json


class ExpiresAfter(Struct, kw_only=True, frozen=True):
    """How long the secret opens sessions; a session that is open goes on."""

    anchor: Literal["created_at"] = "created_at"
    seconds: Annotated[int, Meta(ge=10, le=7200)] = 600


class ClientSecretRequest(Struct, kw_only=True, frozen=True):
    """What the secret is for; `session` is how its sessions begin."""

    expires_after: ExpiresAfter | None = None
    session: SessionPatch | UnsetType | None = UNSET


async def client_secrets(rest: Rest, request: Request) -> Response:
    """Mint a client secret."""
    minting: Credential | None = request.scope.get("credential")
    if minting is not None and minting.ephemeral:
        raise VoiceError("a client secret makes no others", code="missing_scope")
    wanted = await read_json(request, ClientSecretRequest)
    patch = wanted.session or None
    config = starting_config(rest, patch)
    seconds = (wanted.expires_after or ExpiresAfter()).seconds
    key_id = minting.key_id if minting is not None else ""
    value = rest.door.secrets.mint(client_secret(key_id, patch and config), seconds=seconds)
    expires_at = int(datetime.now(UTC).timestamp()) + seconds
    # Where OpenAI shows a session to come, it has these beside what a session has.
    session: dict[str, Any] = {**show(config, wire.new_id("sess")), "expires_at": expires_at}
    answer = {"value": value, "expires_at": expires_at, "session": session}
    return JSONResponse(answer, headers={"cache-control": "no-store"})


def starting_config(rest: Rest, patch: SessionPatch | None) -> SessionConfig:
    """How the secret's sessions begin. Raises `BadEvent` as `session.update` does."""
    config = first_config(rest.settings)
    if patch is None:
        return config
    engines = rest.ready()
    limits = rest.settings.limits
    return merge(
        config,
        patch,
        voices=frozenset(engines.tts.voices),
        languages=engines.stt.languages,
        text_chars=limits.text_chars,
        max_tools=limits.tools,
    )
