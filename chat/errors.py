"""What can go wrong between us and a language model, each with a code."""

from __future__ import annotations


class ChatError(Exception):
    """A failure with a stable `code` and a `message` fit to be shown to the user.

    Codes: `llm_unreachable`, `llm_refused` (the provider said no), `unsupported_parameter` (it said
    no to one wish of ours), `llm_timeout`, `llm_dropped` (the stream broke off), `llm_empty` (it
    ended without a word), `llm_overloaded`, `llm_failed`, `llm_unknown` (no such provider); of a
    conversation `item_not_found`, `item_exists`, `item_not_message`, `item_not_assistant`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
