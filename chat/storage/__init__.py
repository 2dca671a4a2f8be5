"""What is left of conversations: SQLite or PostgreSQL behind plain functions.

`storage = await open_storage(url, data_dir=...)`, then the functions of the modules
`conversations`, `messages`, `search`, `attachments`, `usage`, `idempotency`, `jobs` and
`preferences`. Each takes the storage and an owner first and sees nothing of other owners. What a
function has written is on the disk before it returns. They raise `ChatError`: `not_found`,
`exists`, `version_conflict`, `invalid_request`, `too_large`, `storage_busy`, `storage_failed`.
"""

from chat.owners import LOCAL_OWNER
from chat.storage.content import Content, Plain
from chat.storage.database import Storage, open_storage

__all__ = ["LOCAL_OWNER", "Content", "Plain", "Storage", "open_storage"]
