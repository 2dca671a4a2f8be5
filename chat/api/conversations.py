"""Conversations: list, create, change, delete and undo; tags; search."""

from __future__ import annotations

from msgspec import UNSET
from starlette.responses import Response

from chat.api import shapes, views
from chat.api.etags import etag, expected_version, unchanged
from chat.api.operation import ROOT, Answer, Call
from chat.attachments import files
from chat.storage import conversations, purging, search
from chat.storage.records import Conversation


async def list_all(call: Call) -> Answer:
    """Those with the newest messages first; pages ask for the pinned ones by themselves."""
    asked: shapes.Listing = call.query
    page = await conversations.list_page(
        call.core.storage,
        call.owner,
        cursor=asked.cursor,
        limit=asked.limit,
        pinned=asked.pinned,
        archived=None if asked.deleted else asked.archived,
        deleted=asked.deleted,
        tag=asked.tag,
        since=asked.since,
        until=asked.until,
        ephemeral=asked.ephemeral,
    )
    shown = tuple(map(views.conversation, page.conversations))
    return Answer(shapes.Conversations(conversations=shown, cursor=page.cursor))


async def create(call: Call) -> Answer:
    """With an id that is there already: that conversation, as it is."""
    given: shapes.NewConversation = call.body
    made = await conversations.create(
        call.core.storage,
        call.owner,
        id=given.id or "",
        title=given.title or "",
        title_source="given" if given.title else "temporary",
        tags=given.tags,
        ephemeral=given.ephemeral,
    )
    call.core.live.publish(call.owner, "conversation.created", views.conversation(made))
    return Answer(views.conversation(made), {**_tag(made), "location": _place(made)})


async def get(call: Call) -> Answer | Response:
    """One, with its ETag."""
    found = await conversations.get(call.core.storage, call.owner, call.ids["conversation"])
    if unchanged(call.request.headers.get("if-none-match"), found.version):
        return Response(status_code=304, headers=_tag(found))
    return Answer(views.conversation(found), _tag(found))


async def patch(call: Call) -> Answer:
    """Change what is named."""
    expected = expected_version(call.if_match)
    given: shapes.ConversationPatch = call.body
    named = {
        name: value
        for name in given.__struct_fields__
        if (value := getattr(given, name)) is not UNSET
    }
    changed = await conversations.update(
        call.core.storage,
        call.owner,
        call.ids["conversation"],
        expected_version=expected,
        **named,
    )
    return _changed(call, "conversation.updated", changed)


async def delete(call: Call) -> Answer:
    """Away, until it is restored or purged. What is being answered in it is stopped."""
    conversation_id = call.ids["conversation"]
    await call.core.talk.stop_all(call.owner, conversation_id)
    await conversations.delete(call.core.storage, call.owner, conversation_id)
    call.core.live.publish(call.owner, "conversation.deleted", {"id": conversation_id})
    return Answer(None)


async def restore(call: Call) -> Answer:
    """Undo the deletion."""
    back = await conversations.restore(call.core.storage, call.owner, call.ids["conversation"])
    return _changed(call, "conversation.restored", back)


async def purge(call: Call) -> Answer:
    """Gone for good, with its files."""
    conversation_id = call.ids["conversation"]
    await call.core.talk.stop_all(call.owner, conversation_id)
    gone = await purging.purge_one(call.core.storage, call.owner, conversation_id)
    for name in gone.files:
        files.remove(call.core.data_dir, name)
    call.core.live.publish(call.owner, "conversation.purged", {"id": conversation_id})
    return Answer(None)


async def tags(call: Call) -> Answer:
    """Every tag and how many conversations have it."""
    counted = await conversations.tags(call.core.storage, call.owner)
    listed = tuple(shapes.TagCount(tag=tag, conversations=count) for tag, count in counted)
    return Answer(shapes.TagList(tags=listed))


async def find(call: Call) -> Answer:
    """Messages and titles in which all the words are, newest first."""
    asked: shapes.Looking = call.query
    page = await search.search(
        call.core.storage,
        call.owner,
        asked.q,
        limit=asked.limit,
        cursor=asked.cursor,
        since=asked.since,
        until=asked.until,
    )
    return Answer(shapes.Hits(hits=tuple(map(views.hit, page.hits)), cursor=page.cursor))


def _changed(call: Call, kind: str, record: Conversation) -> Answer:
    shown = views.conversation(record)
    call.core.live.publish(call.owner, kind, shown)
    return Answer(shown, _tag(record))


def _tag(record: Conversation) -> dict[str, str]:
    return {"etag": etag(record.version)}


def _place(record: Conversation) -> str:
    return f"{ROOT}/conversations/{record.id}"
