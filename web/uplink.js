// @ts-check
/** The microphone's sound on its way to the server: as Opus where both have it, else as samples. */

import { createOpusEncoder } from "./opus-codec.js";

/**
 * @param {object} ports
 * @param {(sound: Int16Array | Uint8Array) => void} ports.send samples, or a piece of Opus
 * @param {(error: unknown) => void} ports.onFail the browser cannot make Opus after all
 */
export function createUplink({ send, onFail }) {
  const encoder = createOpusEncoder({
    onPiece: send,
    onFail(error) {
      compressed = false;
      onFail(error);
    },
  });
  let compressed = false;
  let draining = false;

  return {
    /** From now on as Opus, or not. @param {boolean} wanted */
    compress(wanted) {
      if (wanted === compressed) return;
      encoder.reset();
      compressed = wanted;
    },

    /** @param {Int16Array} samples */
    send(samples) {
      if (!compressed) send(samples);
      else if (!draining) encoder.encode(samples);
    },

    /** Resolves when all that was given has been sent; what comes meanwhile is not wanted. */
    async drain() {
      draining = true;
      await encoder.flush();
      draining = false;
    },

    /** Forget what has not been sent: something else begins. */
    restart() {
      encoder.reset();
    },
  };
}
