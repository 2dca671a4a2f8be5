// @ts-check
/**
 * Microphone to frames, on the audio thread.
 *
 * out: `{ type: "frame", samples: Int16Array(480), level }` every 20 ms (24 kHz; level is RMS 0..1)
 *      `{ type: "drained" }` after a "drain"
 * in:  `{ type: "drain" }` send the unfinished frame now | `{ type: "close" }` end the processor
 */

import { createFraming } from "../framing.js";

class Capture extends AudioWorkletProcessor {
  #framing = createFraming(sampleRate);
  #open = true;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data.type === "close") this.#open = false;
      if (data.type === "drain") {
        this.#send(this.#framing.drain());
        this.port.postMessage({ type: "drained" });
      }
    };
  }

  /** @param {import("../framing.js").Frame[]} frames */
  #send(frames) {
    for (const { samples, level } of frames) {
      this.port.postMessage({ type: "frame", samples, level }, [samples.buffer]);
    }
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    const channel = inputs[0]?.[0];
    if (channel) this.#send(this.#framing.push(channel));
    return this.#open;
  }
}

registerProcessor("capture", Capture);
