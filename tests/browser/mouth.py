"""A microphone that hears what a test says when it says it, for what must fall into a reply."""

from __future__ import annotations

import base64
from pathlib import Path

from tests.browser.chromium import Visit

MOUTH = """
let mouth;
navigator.mediaDevices.getUserMedia = async () => {
  const context = new AudioContext();
  await context.resume();
  mouth = context.createMediaStreamDestination();
  // A machine's microphone hears silence, too.
  const silence = new ConstantSourceNode(context, { offset: 0 });
  silence.connect(mouth);
  silence.start();
  return mouth.stream;
};
window.say = async (wav) => {
  const { buffer } = Uint8Array.from(atob(wav), (byte) => byte.charCodeAt(0));
  const source = mouth.context.createBufferSource();
  source.buffer = await mouth.context.decodeAudioData(buffer);
  source.connect(mouth);
  source.start();
};
"""
"""The script of a visit in which `say` is called."""


def say(visit: Visit, wav: Path) -> None:
    """Let the page's open microphone hear this file from now on."""
    visit.page.evaluate("wav => say(wav)", base64.b64encode(wav.read_bytes()).decode())
