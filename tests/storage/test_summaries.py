"""Summaries of branches, on both databases."""

from __future__ import annotations

import pytest

from chat.errors import ChatError
from chat.storage import Storage, conversations, messages, purging, summaries
from chat.storage.records import NewMessage
from chat.storage.schema import summaries as table

ME = "me"


async def test_the_one_that_covers_most_of_a_branch_is_found(storage: Storage) -> None:
    for ephemeral in (False, True):
        made = await conversations.create(storage, ME, ephemeral=ephemeral)
        new = [NewMessage("user", f"{i}", id=f"msg_{i}") for i in range(5)]
        await messages.append(storage, ME, made.id, *new)
        branch = [message.id for message in new]
        assert await summaries.newest(storage, ME, made.id, branch) is None
        assert await summaries.newest(storage, ME, made.id, []) is None
        for id_, text in (("msg_2", "two"), ("msg_1", "one"), ("msg_2", "two\0 again")):
            await summaries.put(storage, ME, made.id, id_, text)
        found = await summaries.newest(storage, ME, made.id, branch)
        assert found == summaries.Summary("msg_2", "two again")
        other = await summaries.newest(storage, ME, made.id, ["msg_0", "msg_1", "msg_9"])
        assert other == summaries.Summary("msg_1", "one")
        assert await summaries.newest(storage, "other", made.id, branch) is None
        for owner, id_ in (("other", "msg_1"), (ME, "msg_9")):
            with pytest.raises(ChatError) as raised:
                await summaries.put(storage, owner, made.id, id_, "x")
            assert raised.value.code == "not_found"
        await purging.purge_one(storage, ME, made.id)
        async with storage.of(made.id).read() as connection:
            assert (await connection.execute(table.select())).all() == []
