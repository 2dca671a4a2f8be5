// @ts-check
/** The loudspeaker: the page's AudioContext and its playback worklet. */

import { createOpusDecoder } from "./opus-codec.js";
import { BadEvent, WIRE_RATE } from "./protocol.js";
import { loadWorklet } from "./worklet.js";

const DUCKED = 0.2;
/** How long the audio thread may take to say where it stopped: while it runs, and while it was stopped. */
const STOP_TIMEOUT_MS = { running: 1000, other: 250 };

/**
 * Nothing sounds before `unlock` was called inside a user's gesture: browsers insist. What arrives
 * earlier waits.
 * @param {object} ports
 * @param {(played: { itemId: string, ms: number, done: boolean }) => void} ports.onPlayed
 * @param {(level: number) => void} ports.onLevel loudness, `playing` and `position` have changed
 * @param {(state: string) => void} [ports.onState] the context runs, or was stopped: by a call, a lock
 *   of the screen ("interrupted", iOS) or the browser ("suspended")
 * @param {(error: unknown) => void} [ports.onUndecoded] the browser cannot read Opus after all
 */
export function createSpeaker({ onPlayed, onLevel, onState, onUndecoded }) {
  /** @type {AudioContext | null} */
  let context = null;
  /** @type {Promise<AudioContext> | null} */
  let ready = null;
  /** @type {AudioWorkletNode | null} */
  let node = null;
  /** @type {{ message: object, transfer: Transferable[] }[]} */
  let waiting = [];
  /** @type {((played: { key: string, ms: number } | null) => void)[]} */
  const stops = [];
  /** @type {{ itemId: string, ms: number } | null} */
  let last = null;
  /** Items with audio that has not been played to its end. */
  const open = new Set();
  let playing = false;
  /** @type {{ itemId: string, ms: number } | null} */
  let position = null;
  let sink = "";
  let counters = { underruns: 0, overflow: 0, peak: 0, targetMs: 0 };
  const decoder = createOpusDecoder({ onSamples: give, onFail: (error) => onUndecoded?.(error) });

  async function start() {
    const opened = openContext();
    context = opened;
    // Called inside the gesture, before anything is awaited.
    const resumed = opened.resume();
    opened.addEventListener("statechange", () => onState?.(opened.state));
    void applySink();
    try {
      // That of the microphone too: a context in which one was missing cannot load it later.
      await Promise.all([loadWorklet(opened, "playback"), loadWorklet(opened, "capture")]);
    } catch (error) {
      context = null;
      void opened.close();
      throw error;
    }
    node = new AudioWorkletNode(opened, "playback", {
      numberOfInputs: 0,
      outputChannelCount: [1],
    });
    node.port.onmessage = ({ data }) => receive(data);
    node.connect(opened.destination);
    for (const { message, transfer } of waiting.splice(0)) node.port.postMessage(message, transfer);
    await resumed;
    return opened;
  }

  /** Where the sound comes out, in browsers that let a page say so; the system's choice if it is gone. */
  async function applySink() {
    const settable = /** @type {{ setSinkId?: (id: string) => Promise<void>, sinkId?: string } | null} */ (
      /** @type {unknown} */ (context)
    );
    const devices = sink ? await navigator.mediaDevices.enumerateDevices() : [];
    const found = devices.some(({ kind, deviceId }) => kind === "audiooutput" && deviceId === sink);
    const wanted = found ? sink : "";
    try {
      if (settable && settable.sinkId !== wanted) await settable.setSinkId?.(wanted);
    } catch (error) {
      console.info("the loudspeaker could not be changed", error);
    }
  }

  /** @param {any} data see worklets/playback.js */
  function receive(data) {
    if (data.type === "played") {
      last = { itemId: data.key, ms: data.ms };
      if (data.done) open.delete(data.key);
      onPlayed({ itemId: data.key, ms: data.ms, done: data.done });
    } else if (data.type === "stopped") {
      stops.shift()?.(data.played);
    } else {
      playing = data.playing;
      position = data.position && { itemId: data.position.key, ms: data.position.ms };
      counters = data.counters;
      onLevel(data.level);
    }
  }

  /**
   * @param {object} message
   * @param {Transferable[]} [transfer]
   */
  function post(message, transfer = []) {
    if (node) node.port.postMessage(message, transfer);
    else waiting.push({ message, transfer });
  }

  /**
   * @param {string} itemId
   * @param {Int16Array<ArrayBuffer>} samples of its own
   */
  function give(itemId, samples) {
    post({ type: "push", key: itemId, samples }, [samples.buffer]);
  }

  // One that was unplugged may be plugged in again.
  navigator.mediaDevices?.addEventListener("devicechange", () => sink && void applySink());

  return {
    /** A reply is audible. */
    get playing() {
      return playing;
    },
    /** What sounds now, and how far the listener has come in it: what is on its way out is taken off. */
    get position() {
      if (!position || !context) return null;
      const late = 1000 * (context.outputLatency || context.baseLatency || 0);
      return { ...position, ms: Math.max(0, position.ms - late) };
    },
    /** @param {string} deviceId "": the system's choice */
    useDevice(deviceId) {
      if (deviceId === sink) return;
      sink = deviceId;
      void applySink();
    },
    /** A reply is audible, or will be. */
    get sounding() {
      return open.size > 0;
    },
    /**
     * Whether this item is audible, or will be.
     * @param {string | undefined} itemId
     */
    holds(itemId) {
      return itemId !== undefined && open.has(itemId);
    },
    /** Audio waits for the user's first touch. */
    get blocked() {
      return open.size > 0 && context?.state !== "running";
    },
    /** Underruns, samples that did not fit, the loudest sample so far, the jitter buffer's target. */
    get counters() {
      return counters;
    },

    /**
     * Start or wake the sound; call inside a user's gesture. Where the server cannot be reached it fails
     * after a while, and works at the next call.
     */
    unlock() {
      if (context && context.state !== "running") void context.resume();
      ready ??= start().catch((error) => {
        ready = null;
        throw error;
      });
      return ready;
    },

    /**
     * @param {string} itemId
     * @param {Int16Array | Uint8Array} sound samples, or a piece of Opus
     */
    push(itemId, sound) {
      open.add(itemId);
      // The frame is a view into a whole message: the worklet gets samples of their own.
      if (sound instanceof Int16Array) return void decoder.after(() => give(itemId, sound.slice()));
      try {
        decoder.decode(itemId, sound);
      } catch (error) {
        if (!(error instanceof BadEvent)) throw error;
        console.warn(error.message);
      }
    },

    /** @param {string} [itemId] without one: whatever is there is all there will be */
    finish(itemId) {
      void decoder.after(() => post({ type: "finish", key: itemId }));
    },

    /** @param {boolean} on play softly while someone may be talking */
    duck(on) {
      post({ type: "duck", gain: on ? DUCKED : 1 });
    },

    /**
     * Be silent at once; resolves with how much was heard of the item in progress.
     * @returns {Promise<{ itemId: string, ms: number } | null>}
     */
    async stop() {
      const first = [...open][0];
      open.clear();
      position = null;
      waiting = [];
      decoder.reset();
      if (!node) return first === undefined ? null : { itemId: first, ms: 0 };
      const answer = new Promise((/** @type {(p: { key: string, ms: number } | null) => void} */ resolve) => {
        stops.push(resolve);
        // A suspended audio thread may not answer: then its last report has to do. Its answer keeps its place,
        // or the next stop would be given it.
        setTimeout(() => {
          resolve(last && last.itemId === first ? { key: last.itemId, ms: last.ms } : null);
        }, context?.state === "running" ? STOP_TIMEOUT_MS.running : STOP_TIMEOUT_MS.other);
      });
      node.port.postMessage({ type: "stop" });
      const played = await answer;
      if (!played) return null;
      onPlayed({ itemId: played.key, ms: played.ms, done: false });
      return { itemId: played.key, ms: played.ms };
    },
  };
}

/** A context at the wire's rate; at the machine's own where that is refused: the worklets resample. */
function openContext() {
  try {
    return new AudioContext({ sampleRate: WIRE_RATE, latencyHint: "interactive" });
  } catch {
    return new AudioContext({ latencyHint: "interactive" });
  }
}
