// @ts-check
/**
 * Reply audio to the loudspeaker, on the audio thread; the work is in playout.js.
 *
 * in:  `{ type: "push", key, samples: Int16Array }` | `{ type: "finish", key? }`
 *      `{ type: "stop" }` | `{ type: "duck", gain }`
 * out: `{ type: "played", key, ms, done }` four times a second while an item plays, and at its end
 *      `{ type: "stopped", played: { key, ms } | null }` in answer to "stop"
 *      `{ type: "level", level, playing, position, counters }` every 50 ms while there is sound, once at its end
 */

import { createPlayout } from "../playout.js";

class Playback extends AudioWorkletProcessor {
  #playout = createPlayout(sampleRate);
  #power = 0;
  #samples = 0;
  #wasPlaying = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data.type === "push") this.#playout.push(data.key, data.samples);
      else if (data.type === "finish") this.#playout.finish(data.key);
      else if (data.type === "duck") this.#playout.duck(data.gain);
      else if (data.type === "stop") {
        this.port.postMessage({ type: "stopped", played: this.#playout.stop() });
      }
    };
  }

  /**
   * @param {Float32Array[][]} _inputs
   * @param {Float32Array[][]} outputs
   */
  process(_inputs, outputs) {
    const out = outputs[0]?.[0];
    if (!out) return true;
    for (const played of this.#playout.render(out)) {
      this.port.postMessage({ type: "played", ...played });
    }
    this.#meter(out);
    return true;
  }

  /** @param {Float32Array} out */
  #meter(out) {
    const { playing, position, counters, targetMs } = this.#playout;
    for (const sample of out) this.#power += sample * sample;
    this.#samples += out.length;
    const ended = this.#wasPlaying && !playing;
    const begun = playing && !this.#wasPlaying;
    if (begun || ended || (playing && this.#samples >= sampleRate / 20)) {
      const level = ended ? 0 : Math.sqrt(this.#power / this.#samples);
      const told = { ...counters, targetMs };
      this.port.postMessage({ type: "level", level, playing, position, counters: told });
      this.#power = 0;
      this.#samples = 0;
    }
    if (!playing) this.#power = this.#samples = 0;
    this.#wasPlaying = playing;
  }
}

registerProcessor("playback", Playback);
