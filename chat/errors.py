"""What can go wrong between us and a language model, each with a code."""

from __future__ import annotations


class ChatError(Exception):
    """A failure with a stable `code` and a `message` fit to be shown to the user.

    Codes: `llm_unreachable`, `llm_refused` (the provider said no), `unsupported_parameter` (it said
    no to one wish of ours), `llm_timeout`, `llm_dropped` (the stream broke off), `llm_empty` (it
    ended without a word), `llm_overloaded`, `llm_failed`, `llm_unknown` (no such provider),
    `usage_exceeded` (the day's cap is reached), `providers_file` (it cannot be used); of a
    conversation `item_not_found`, `item_exists`, `item_not_message`, `item_not_assistant`; of files
    `attachment_too_large`, `attachment_unsupported`, `attachment_unreadable`,
    `attachment_overloaded`, `import_unknown`, `import_version`, `import_malformed`,
    `import_too_large`; of jobs `mail_failed`; of storage and backups those in docs/storage.md.

    `retry_after` is the number of seconds the provider asks to be left alone, None if it did not.
    """

    def __init__(self, code: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after
