// @ts-check
/**
 * What the loudspeaker is given, sample by sample: jitter buffer, gapless items, duck and stop. Pure.
 *
 * Audio comes in under a key (the conversation item it belongs to); keys are spoken one after the
 * other in the order of their first samples, the next one beginning in the very sample after the last.
 *
 * Jitter buffer: an item starts when `target` ms of it lie ready, or when it is complete. If it runs
 * dry before it is complete, that is an underrun: the target grows by half (50 -> 75 -> 112 ... at most
 * 400 ms) and the item waits until that much lies ready again. Ten seconds spoken without an underrun
 * take the target one such step back.
 *
 * Played samples are counted as they are handed over, so a report is exact; sound already handed over
 * cannot be taken back, which is why the fade at a stop counts as played.
 */

import { WIRE_RATE } from "./protocol.js";
import { createResampler } from "./resample.js";
import { createRing } from "./ring.js";

const TARGET_MS = 50;
const TARGET_LIMIT_MS = 400;
const TARGET_STEP = 1.5;
const CALM_SECONDS = 10;
const FADE_MS = 10;
const DUCK_RAMP_MS = 60;
const REPORTS_A_SECOND = 4;
/** Five minutes of one reply; longer ones lose their end, which is counted. */
const LIMIT_SECONDS = 300;

/**
 * @typedef {{ key: string, ms: number, done: boolean }} Played how much of an item was handed to the
 *   loudspeaker; `done`: all of it
 */

/**
 * @param {number} rate samples a second of the loudspeaker
 */
export function createPlayout(rate) {
  /** @param {string} key */
  const createTrack = (key) => ({
    key,
    ring: createRing(rate * 4, rate * LIMIT_SECONDS),
    resampler: createResampler(WIRE_RATE, rate),
    received: 0,
    played: 0,
    complete: false,
  });
  /** @type {ReturnType<typeof createTrack>[]} */
  let tracks = [];
  let started = false;
  let target = TARGET_MS;
  let calm = 0;
  let sinceReport = 0;
  let gain = 1;
  let wantedGain = 1;
  let last = 0;
  /** Sound still to be faded out after a stop. */
  let tail = new Float32Array(0);
  const counters = { underruns: 0, overflow: 0, peak: 0 };

  /**
   * Whole ms, never more than was received: the server refuses a reply cut past its end.
   * @param {ReturnType<typeof createTrack>} track
   */
  const playedMs = (track) =>
    Math.floor(Math.min(track.played / rate, track.received / WIRE_RATE) * 1000);

  /** @param {ReturnType<typeof createTrack>} track */
  const complete = (track) => {
    if (track.complete) return;
    track.complete = true;
    track.ring.write(track.resampler.flush());
  };

  return {
    counters,
    get playing() {
      return started || tail.length > 0;
    },
    get targetMs() {
      return target;
    },
    /** What sounds now, and how much of it was handed over. @returns {{ key: string, ms: number } | null} */
    get position() {
      const track = started ? tracks[0] : undefined;
      return track ? { key: track.key, ms: playedMs(track) } : null;
    },

    /**
     * @param {string} key
     * @param {Int16Array} pcm at the wire's rate
     */
    push(key, pcm) {
      let track = tracks.find((candidate) => candidate.key === key);
      if (!track) {
        // A server speaks one item at a time: a new one means that the former has all it gets.
        tracks.forEach(complete);
        track = createTrack(key);
        tracks.push(track);
      }
      const samples = new Float32Array(pcm.length);
      for (let i = 0; i < pcm.length; i++) samples[i] = /** @type {number} */ (pcm[i]) / 32768;
      const ready = track.resampler.process(samples);
      track.received += pcm.length;
      counters.overflow += ready.length - track.ring.write(ready);
    },

    /**
     * No more samples come for this item; without a key, for any.
     * @param {string} [key]
     */
    finish(key) {
      for (const track of tracks) if (key === undefined || track.key === key) complete(track);
    },

    /**
     * Stop everything within 10 ms and forget the rest. Returns what was heard of the item in
     * progress (or next in line), null if there is none.
     * @returns {Played | null}
     */
    stop() {
      const track = tracks[0];
      tracks = [];
      if (!track) return null;
      if (started) {
        const fade = new Float32Array(Math.round((FADE_MS / 1000) * rate));
        const count = track.ring.read(fade);
        tail = fade.slice(0, count).map((sample, i) => sample * gain * (1 - i / count));
        track.played += count;
      }
      started = false;
      gain = wantedGain = 1;
      return { key: track.key, ms: playedMs(track), done: false };
    },

    /**
     * Move the loudness to `wanted` (0 to 1) over 60 ms.
     * @param {number} wanted
     */
    duck(wanted) {
      wantedGain = wanted;
    },

    /**
     * Fill `out` with the next samples; returns the reports that fell due.
     * @param {Float32Array} out
     * @returns {Played[]}
     */
    render(out) {
      /** @type {Played[]} */
      const reports = [];
      let filled = Math.min(tail.length, out.length);
      out.set(tail.subarray(0, filled));
      tail = tail.slice(filled);

      while (filled < out.length) {
        const track = tracks[0];
        if (!track) break;
        if (!started) {
          if (!track.complete && track.ring.length < (target / 1000) * rate) break;
          started = true;
          sinceReport = 0;
        }
        const count = track.ring.read(out.subarray(filled));
        filled = soften(out, filled, count);
        track.played += count;
        sinceReport += count;
        calm += count;
        if (filled < out.length || (track.complete && track.ring.length === 0)) {
          if (track.complete) {
            reports.push({ key: track.key, ms: playedMs(track), done: true });
            tracks.shift();
            sinceReport = 0;
            started = tracks.length > 0;
          } else {
            started = false;
            counters.underruns++;
            target = Math.min(target * TARGET_STEP, TARGET_LIMIT_MS);
            calm = 0;
            break;
          }
        } else if (sinceReport >= rate / REPORTS_A_SECOND) {
          reports.push({ key: track.key, ms: playedMs(track), done: false });
          sinceReport = 0;
        }
      }
      if (calm >= CALM_SECONDS * rate) {
        target = Math.max(target / TARGET_STEP, TARGET_MS);
        calm = 0;
      }
      settle(out, filled);
      return reports;
    },
  };

  /**
   * Apply the loudness to `count` samples from `start`; returns their end.
   * @param {Float32Array} out
   * @param {number} start
   * @param {number} count
   */
  function soften(out, start, count) {
    const step = 1000 / (DUCK_RAMP_MS * rate);
    for (let i = start; i < start + count; i++) {
      if (gain < wantedGain) gain = Math.min(gain + step, wantedGain);
      else if (gain > wantedGain) gain = Math.max(gain - step, wantedGain);
      out[i] = /** @type {number} */ (out[i]) * gain;
    }
    return start + count;
  }

  /**
   * Let the rest of the block run out from the last sample, so that a sudden end does not click, and
   * keep the peak.
   * @param {Float32Array} out
   * @param {number} filled
   */
  function settle(out, filled) {
    if (filled > 0) last = /** @type {number} */ (out[filled - 1]);
    const decay = Math.exp(-1 / (0.001 * rate));
    for (let i = filled; i < out.length; i++) {
      last = Math.abs(last) < 1e-4 ? 0 : last * decay;
      out[i] = last;
    }
    for (const sample of out) counters.peak = Math.max(counters.peak, Math.abs(sample));
  }
}
