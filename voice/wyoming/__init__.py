"""The Wyoming protocol: speech to text and text to speech for Home Assistant's voice satellites.

An adapter of its own port, off unless one is set. The protocol has no notion of who asks: whoever
reaches the port may use the models, so it listens on loopback unless told otherwise.
"""

from __future__ import annotations

from voice.wyoming.server import Wyoming

__all__ = ["Wyoming"]
