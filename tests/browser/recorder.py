"""A second way from whatever goes to the loudspeaker, which keeps it, and what is said in it."""

from __future__ import annotations

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import soxr

from tests.browser.chromium import Visit
from tests.conftest import WEIGHTS
from voice.audio import HEARD_RATE, Pcm
from voice.engines import EngineOptions, Stt, load_engine

# On the audio thread, between the page and its loudspeaker: a busy page loses nothing of it.
RECORDER = """
const KEEPER = `registerProcessor("keeper", class extends AudioWorkletProcessor {
  process([[given]], [[out]]) {
    if (!given) return true;
    out.set(given);
    this.port.postMessage(Int16Array.from(given, (x) => x * 32767));
    return true;
  }
});`;
const { addModule } = AudioWorklet.prototype;
const { connect } = AudioNode.prototype;
const keepers = new WeakMap();
window.recorded = [];
AudioWorklet.prototype.addModule = async function (...given) {
  if (!keepers.has(this)) {
    const url = URL.createObjectURL(new Blob([KEEPER], { type: "text/javascript" }));
    keepers.set(this, addModule.call(this, url));
  }
  await keepers.get(this);
  return addModule.apply(this, given);
};
AudioNode.prototype.connect = function (to, ...rest) {
  if (!(to instanceof AudioDestinationNode)) return connect.call(this, to, ...rest);
  const keeper = new AudioWorkletNode(to.context, "keeper", { outputChannelCount: [1] });
  window.rate = to.context.sampleRate;
  keeper.port.onmessage = ({ data }) => window.recorded.push(...data);
  connect.call(this, keeper);
  return connect.call(keeper, to);
};
"""
"""The script of a visit without the page's CSP (`bypass_csp`), which allows no such worklet."""

RECORDED = """() => {
  let bytes = "";
  for (const byte of new Uint8Array(Int16Array.from(recorded).buffer)) {
    bytes += String.fromCharCode(byte);
  }
  return { rate, pcm: btoa(bytes) };
}"""
LEAST_GAP_SECONDS = 0.01


def recorded(visit: Visit) -> Pcm:
    """What went to the loudspeaker (of a visit with `RECORDER`), 16 kHz, without the gaps.

    In a gap nothing at all sounds: nothing had come yet. A machine that makes speech slower than
    it plays tears words apart by them, in which recognition then reads others.
    """
    heard = visit.page.evaluate(RECORDED)
    rate = heard["rate"]
    sound = np.frombuffer(base64.b64decode(heard["pcm"]), np.int16)
    pieces = np.split(sound, np.flatnonzero(np.diff(sound == 0)) + 1)
    kept = [piece for piece in pieces if piece.any() or len(piece) < LEAST_GAP_SECONDS * rate]
    whole = np.concatenate([np.zeros(0, np.int16), *kept]).astype(np.float32) / 32768
    return soxr.resample(whole, rate, HEARD_RATE)


def transcribe(pcm: Pcm) -> str:
    """What recognition hears in it; in a thread, since Playwright's loop runs in this one."""
    with ThreadPoolExecutor(1) as thread:
        work = thread.submit(lambda: asyncio.run(_recogniser().transcribe(pcm, language="en")))
        return str(work.result().text)


@cache
def _recogniser() -> Stt:
    """Loaded once for all tests of the page."""
    stt: Stt = load_engine("stt", "faster-whisper", EngineOptions(WEIGHTS, "cpu"))
    return stt
