// @ts-check
/** The microphone: asked for once, then kept open. */

import { loadWorklet } from "./worklet.js";

/** @typedef {"insecure_origin" | "microphone_denied" | "microphone_missing" | "microphone_busy" | "microphone_failed"} MicrophoneProblem */

/** A microphone that cannot be opened; `code` names the words for it. */
export class MicrophoneError extends Error {
  /** @param {MicrophoneProblem} code */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** Whether the browser offers microphones and audio worklets to this page at all. */
export function audioAllowed() {
  return window.isSecureContext && navigator.mediaDevices !== undefined;
}

/**
 * @param {unknown} error of getUserMedia
 * @returns {MicrophoneProblem}
 */
export function problemOf(error) {
  const name = error instanceof Error ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "microphone_denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "microphone_missing";
  if (name === "NotReadableError" || name === "AbortError") return "microphone_busy";
  return "microphone_failed";
}

/**
 * Open it. The frames come in order, 20 ms each.
 * @param {() => Promise<AudioContext>} wake asked for the context once there is a microphone: for one the
 *   browser's sound starts beside the page, for a context the page has to wait
 * @param {object} ports
 * @param {(samples: Int16Array, level: number) => void} ports.onFrame
 * @param {() => void} ports.onLost unplugged, or taken away
 * @param {{ device?: string, echo?: boolean, noise?: boolean, gain?: boolean }} [how] which one ("":
 *   the system's choice; also where it is gone), and what the browser does to its sound
 * @throws {MicrophoneError}
 */
export async function openMicrophone(wake, { onFrame, onLost }, how = {}) {
  const { device = "", echo = true, noise = true, gain = true } = how;
  if (!audioAllowed()) throw new MicrophoneError("insecure_origin");
  /** @type {MediaStream} */
  let stream;
  try {
    stream = await askFor(device, {
      echoCancellation: echo,
      noiseSuppression: noise,
      autoGainControl: gain,
      channelCount: 1,
    });
  } catch (error) {
    throw new MicrophoneError(problemOf(error));
  }
  const giveBack = () => stream.getTracks().forEach((track) => track.stop());
  const { source, own } = await wake()
    .then((context) => connectSource(context, stream))
    .catch((error) => {
      giveBack();
      throw error;
    });
  const node = new AudioWorkletNode(source.context, "capture", {
    numberOfOutputs: 0,
    channelCount: 1,
    channelCountMode: "explicit",
  });
  /** @type {(() => void)[]} */
  let drains = [];
  node.port.onmessage = ({ data }) => {
    if (data.type === "frame") return onFrame(data.samples, data.level);
    for (const drained of drains.splice(0)) drained();
  };
  source.connect(node);

  function close() {
    giveBack();
    node.port.postMessage({ type: "close" });
    source.disconnect();
    own?.close();
  }
  stream.getAudioTracks()[0]?.addEventListener("ended", () => {
    close();
    onLost();
  });

  return {
    close,
    /** Resolves when everything captured so far has been handed to `onFrame`. */
    drain() {
      return new Promise((/** @type {(value?: void) => void} */ resolve) => {
        drains.push(resolve);
        node.port.postMessage({ type: "drain" });
        setTimeout(resolve, 200); // a suspended audio thread must not hold a turn open
      });
    },
  };
}

/** @typedef {Awaited<ReturnType<typeof openMicrophone>>} Microphone */

/**
 * @param {string} device "": the system's choice, which also stands in for one that is gone
 * @param {MediaTrackConstraints} audio
 */
async function askFor(device, audio) {
  const { mediaDevices } = navigator;
  if (!device) return mediaDevices.getUserMedia({ audio });
  try {
    return await mediaDevices.getUserMedia({ audio: { ...audio, deviceId: { exact: device } } });
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "OverconstrainedError") throw error;
    return mediaDevices.getUserMedia({ audio });
  }
}

/**
 * The microphone in the page's own context; in one of its own where a browser (Firefox) will not join
 * a microphone and a context of different rates. The capture worklet resamples either way.
 * @param {AudioContext} context
 * @param {MediaStream} stream
 */
async function connectSource(context, stream) {
  try {
    await loadWorklet(context, "capture");
    return { source: context.createMediaStreamSource(stream), own: null };
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "NotSupportedError")) throw error;
    const own = new AudioContext();
    await loadWorklet(own, "capture");
    return { source: own.createMediaStreamSource(stream), own };
  }
}
