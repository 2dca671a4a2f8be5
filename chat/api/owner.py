"""What is the owner's: settings, models to choose from, what was used today, live updates."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from chat.api import shapes, sse
from chat.api.etags import etag, expected_version, unchanged
from chat.api.operation import Answer, Call
from chat.errors import ChatError
from chat.storage import preferences, usage

VERSION = "version"
"""The name under which the settings' version is stored beside them."""


async def models(call: Call) -> Answer:
    """Their names and tiers; where they run is nobody's business."""
    listed = tuple(
        shapes.Model(name=one.name, tier=one.tier, default=one.default)
        for one in call.core.models()
    )
    return Answer(shapes.ModelList(models=listed))


async def used_today(call: Call) -> Answer:
    """By model, on this day in UTC."""
    today = call.core.now().date()
    rows = await usage.by_day(call.core.storage, call.owner, since=today, until=today)
    listed = tuple(
        shapes.ModelUsage(
            model=row.model,
            requests=row.requests,
            prompt_tokens=row.prompt_tokens,
            completion_tokens=row.completion_tokens,
            cost=row.cost,
        )
        for row in rows
    )
    total = sum(row.cost for row in listed)
    return Answer(shapes.UsageToday(day=today.isoformat(), models=listed, cost=total))


async def get_settings(call: Call) -> Answer | Response:
    """What is not set is left out."""
    version, settings = _known(await preferences.read(call.core.storage, call.owner))
    if unchanged(call.request.headers.get("if-none-match"), version):
        return Response(status_code=304, headers={"etag": etag(version)})
    return Answer(settings, {"etag": etag(version)})


async def put_settings(call: Call) -> Answer:
    """All of them anew: what is left out is as by default."""
    given: shapes.Preferences = call.body
    async with call.core.pending.alone(call.owner, " settings"):  # no client's key has a space
        version, _ = _known(await preferences.read(call.core.storage, call.owner))
        expected = expected_version(call.if_match, version)
        if expected not in (None, version):
            raise ChatError("version_conflict", "the settings have changed since; get them again")
        set_now = msgspec.to_builtins(given)
        values: dict[str, Any] = {
            name: set_now.get(name) for name in shapes.Preferences.__struct_fields__
        }
        await preferences.write(call.core.storage, call.owner, {**values, VERSION: version + 1})
    call.core.live.publish(call.owner, "settings.updated", given)
    return Answer(given, {"etag": etag(version + 1)})


def _known(stored: dict[str, Any]) -> tuple[int, shapes.Preferences]:
    """The version, and the settings as far as they are still ones."""
    names = shapes.Preferences.__struct_fields__
    kept = {name: value for name, value in stored.items() if name in names}
    try:
        settings = msgspec.convert(kept, shapes.Preferences)
    except msgspec.ValidationError:  # of another version of this program
        settings = shapes.Preferences()
    return int(stored.get(VERSION, 0)), settings


async def events(call: Call) -> Response:
    """What changes in any of the owner's conversations, for every open page."""
    heartbeat = call.core.limits.heartbeat_seconds
    after = call.request.headers.get("last-event-id")
    live = call.core.live.follow(call.owner, after, tick=sse.tick(heartbeat))
    return sse.stream(live, heartbeat=heartbeat, stands=call.stands)
