// @ts-check
/** From the microphone's blocks to frames for the wire. Pure. */

import { WIRE_RATE } from "./protocol.js";
import { createResampler } from "./resample.js";

/** Samples in a frame: 20 ms. */
export const FRAME_SAMPLES = 480;

/** @typedef {{ samples: Int16Array<ArrayBuffer>, level: number }} Frame `level`: root mean square, 0 to 1 */

/**
 * Collects blocks of any size at `rate` and hands out frames of 480 samples at 24 kHz.
 * @param {number} rate
 */
export function createFraming(rate) {
  const resampler = createResampler(rate, WIRE_RATE);
  let pending = new Float32Array(FRAME_SAMPLES);
  let filled = 0;

  /** @returns {Frame} */
  function take() {
    const samples = new Int16Array(filled);
    let power = 0;
    for (let i = 0; i < filled; i++) {
      const sample = /** @type {number} */ (pending[i]);
      power += sample * sample;
      samples[i] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
    }
    const level = Math.sqrt(power / Math.max(1, filled));
    filled = 0;
    return { samples, level };
  }

  return {
    /**
     * @param {Float32Array} block
     * @returns {Frame[]} frames that became full
     */
    push(block) {
      const frames = [];
      for (const sample of resampler.process(block)) {
        pending[filled++] = sample;
        if (filled === FRAME_SAMPLES) frames.push(take());
      }
      return frames;
    },

    /**
     * The unfinished frame, shorter than the others.
     * @returns {Frame[]}
     */
    drain() {
      return filled > 0 ? [take()] : [];
    },
  };
}
