"""What can go wrong in the voice half, each with a code a client can act on."""

from __future__ import annotations


class VoiceError(Exception):
    """A failure with a stable `code` and a `message` fit to be shown to the client.

    Never put a path, a key or a traceback into `message`: it leaves the server.
    """

    code = "internal_error"

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        if code is not None:
            self.code = code


class BadEvent(VoiceError):
    """The client sent something that is not a valid event; the session goes on."""

    code = "invalid_event"


class EngineFailed(VoiceError):
    """A model could not do its work; the turn ends with an error event."""

    code = "engine_failed"


class Overloaded(VoiceError):
    """A bounded queue is full; the caller should try again later."""

    code = "overloaded"


class ConfigError(VoiceError):
    """The settings or the installation do not allow the server to start."""

    code = "config_error"
