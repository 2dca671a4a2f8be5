// @ts-check
/** The microphone as the conversation sees it: opened when wanted, treated as the settings say. */

import { MicrophoneError, audioAllowed, openMicrophone } from "./microphone.js";

/** A microphone that is lost sooner than that is not tried again. */
const SHORTEST_MS = 1000;

/**
 * @param {Pick<ReturnType<typeof import("./speaker.js").createSpeaker>, "unlock">} speaker
 * @param {import("./settings.js").Settings} settings read whenever it is opened
 * @param {object} ports
 * @param {(samples: Int16Array) => void} ports.heard
 * @param {() => void} ports.lost unplugged, or taken away, and there is no other; it is closed by then
 */
export function createEar(speaker, settings, { heard, lost }) {
  /** @type {Promise<import("./microphone.js").Microphone> | null} */
  let opening = null;
  let open = false;
  let level = 0;
  /** When the last frame came. */
  let heardAt = 0;
  let openedAt = 0;

  function forget() {
    opening = null;
    open = false;
    level = 0;
  }

  /**
   * Open it, or find it open.
   * @throws {MicrophoneError}
   */
  async function start() {
    if (!audioAllowed()) throw new MicrophoneError("insecure_origin");
    const { microphone: device, echo, noise, gain } = settings;
    const how = { device, echo, noise, gain };
    opening ??= openMicrophone(speaker.unlock, { onFrame, onLost }, how).then((microphone) => {
      openedAt = performance.now();
      return microphone;
    });
    try {
      await opening;
      open = true;
      heardAt = performance.now();
    } catch (error) {
      opening = null;
      throw error;
    }
  }

  /** @param {Int16Array} samples @param {number} loudness */
  function onFrame(samples, loudness) {
    level = loudness;
    heardAt = performance.now();
    heard(samples);
  }

  /** Unplugged: another one goes on, if there is one that does not go the same way. */
  function onLost() {
    const stable = open && performance.now() - openedAt > SHORTEST_MS;
    forget();
    if (stable) start().catch(lost);
    else lost();
  }

  return {
    get open() {
      return open;
    },
    /** Root mean square of the last frame, 0 to 1. */
    get level() {
      return level;
    },
    /** How long no sound has come from it, in ms; 0 if it is not open. */
    get silentMs() {
      return open ? performance.now() - heardAt : 0;
    },

    /** Called inside a gesture. */
    start,

    /** Resolves when everything captured so far was handed out. */
    async drain() {
      await (await opening)?.drain();
    },

    /** Give it back: its light goes out. */
    async close() {
      const closing = opening;
      forget();
      (await closing)?.close();
    },
  };
}
