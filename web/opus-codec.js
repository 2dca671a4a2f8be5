// @ts-check
/** The browser's own Opus (WebCodecs), where it has one that is exact. */

import { spareTime } from "./breath.js";
import { PACKET_SAMPLES, createCounting, createTrimming, pack, unpack } from "./opus.js";
import { WIRE_RATE } from "./protocol.js";
import { createResampler } from "./resample.js";

/** Bits a second, as the server's. */
const BIT_RATE = 32_000;
/** A codec that is not done by then never will be. */
const PATIENCE_MS = 1000;

/** @type {AudioEncoderConfig} */
const ENCODED = {
  codec: "opus",
  sampleRate: WIRE_RATE,
  numberOfChannels: 1,
  bitrate: BIT_RATE,
  // `application` is newer than TypeScript's description.
  opus: /** @type {OpusEncoderConfig} */ ({ frameDuration: 20_000, application: "voip" }),
};
/** @type {AudioDecoderConfig} */
const DECODED = { codec: "opus", sampleRate: 48_000, numberOfChannels: 1 };

/**
 * The microphone's sound, one stream after another.
 * @param {object} ports
 * @param {(piece: Uint8Array<ArrayBuffer>) => void} ports.onPiece
 * @param {(error: unknown) => void} ports.onFail it does not work (any more)
 */
export function createOpusEncoder({ onPiece, onFail }) {
  /** @type {AudioEncoder | null} */
  let encoder = null;
  let counting = createCounting();
  let at = 0;

  function open() {
    const opened = new AudioEncoder({
      output(chunk) {
        if (opened !== encoder) return;
        const packet = new Uint8Array(chunk.byteLength);
        chunk.copyTo(packet);
        onPiece(pack(counting.take(packet)));
      },
      error(error) {
        if (opened === encoder) onFail(error);
      },
    });
    encoder = opened;
    encoder.configure(ENCODED);
    counting = createCounting();
    at = 0;
  }

  /** @param {Int16Array<ArrayBuffer>} samples */
  function put(samples) {
    const data = new AudioData({
      format: "s16",
      sampleRate: WIRE_RATE,
      numberOfFrames: samples.length,
      numberOfChannels: 1,
      timestamp: (at / WIRE_RATE) * 1_000_000,
      data: samples,
    });
    encoder?.encode(data);
    data.close();
    at += samples.length;
  }

  function reset() {
    if (encoder && encoder.state !== "closed") encoder.close();
    encoder = null;
  }

  return {
    /** @param {Int16Array} samples at 24 kHz */
    encode(samples) {
      try {
        if (!encoder) open();
        counting.give(samples.length);
        put(samples.slice());
      } catch (error) {
        reset();
        onFail(error);
      }
    },
    /** Resolves when all that was given has come out. What follows is another stream. */
    async flush() {
      if (!encoder) return;
      const { missing } = counting;
      if (missing > 0) put(new Int16Array(missing));
      const flushed = encoder.flush().catch(() => {});
      await Promise.race([flushed, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
      reset();
    },
    /** Forget what has not come out. */
    reset,
  };
}

/**
 * The sound of replies, in the order in which it comes.
 * @param {object} ports
 * @param {(key: string, samples: Int16Array<ArrayBuffer>) => void} ports.onSamples at 24 kHz
 * @param {(error: unknown) => void} ports.onFail it does not work (any more)
 */
export function createOpusDecoder({ onSamples, onFail }) {
  /** @type {AudioDecoder | null} */
  let decoder = null;
  /** @type {ReturnType<typeof createResampler> | null} */
  let resampler = null;
  let key = "";
  let at = 0;
  const trimming = createTrimming();

  function open() {
    const opened = new AudioDecoder({
      output(data) {
        if (opened === decoder) hear(data);
        data.close();
      },
      error(error) {
        if (opened !== decoder) return;
        reset();
        onFail(error);
      },
    });
    decoder = opened;
    decoder.configure(DECODED);
    at = 0;
  }

  /** @param {AudioData} data */
  function hear(data) {
    const output = new Float32Array(data.numberOfFrames);
    data.copyTo(output, { planeIndex: 0, format: "f32-planar" });
    for (const part of trimming.take(output, data.sampleRate)) {
      if (part.begins || part.key !== key) end();
      key = part.key;
      resampler ??= createResampler(data.sampleRate, WIRE_RATE);
      give(resampler.process(part.samples));
    }
  }

  /** A stream is complete: what is left of it in the filter. */
  function end() {
    if (resampler) give(resampler.flush());
    resampler = null;
  }

  /** @param {Float32Array} sound */
  function give(sound) {
    if (sound.length === 0) return;
    onSamples(key, Int16Array.from(sound, (x) => Math.max(-32768, Math.min(32767, Math.round(x * 32768)))));
  }

  function reset() {
    if (decoder && decoder.state !== "closed") decoder.close();
    decoder = null;
    resampler = null;
    trimming.reset();
  }

  return {
    /**
     * @param {string} item whose sound it is
     * @param {Uint8Array} bytes a piece
     * @throws {import("./protocol.js").BadEvent} if it is none
     */
    decode(item, bytes) {
      const piece = unpack(bytes);
      if (!decoder) open();
      trimming.expect(item, piece);
      for (const packet of piece.packets) {
        decoder?.decode(new EncodedAudioChunk({ type: "key", timestamp: at * 20_000, data: packet.slice() }));
        at++;
      }
    },

    /**
     * Do something when all that was given has come out: at once if it has.
     * @param {() => void} done not called after a reset
     */
    async after(done) {
      const asked = decoder;
      if (asked && !trimming.empty) {
        await Promise.race([asked.flush().catch(() => {}), new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
        if (asked !== decoder) return;
      }
      end();
      done();
    },

    /** Forget what has not come out. */
    reset,
  };
}

/** @type {Promise<boolean> | null} */
let answer = null;

/** Whether the browser makes and reads Opus, and every sample of it comes back; tried in spare time. */
export function opusWorks() {
  answer ??= spareTime().then(tryOut).catch(() => false);
  return answer;
}

async function tryOut() {
  if (!("AudioEncoder" in globalThis) || !("AudioDecoder" in globalThis)) return false;
  const samples = new Int16Array(PACKET_SAMPLES + 123).map((_, i) => 8000 * Math.sin(i / 9));
  let failed = false;
  let heard = 0;
  const onFail = () => {
    failed = true;
  };
  const decoder = createOpusDecoder({ onSamples: (_, { length }) => (heard += length), onFail });
  const encoder = createOpusEncoder({ onPiece: (piece) => decoder.decode("", piece), onFail });
  encoder.encode(samples);
  await encoder.flush();
  await decoder.after(() => {});
  decoder.reset();
  return !failed && heard === samples.length;
}
