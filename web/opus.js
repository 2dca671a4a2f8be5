// @ts-check
/**
 * Opus on the wire: packets of 20 ms, and the pieces in which they travel. Pure; as voice/opus.py.
 *
 * A piece: u16, the lower 15 bits of which are the samples of sound in it (24 kHz) and the top bit says
 * that a stream begins; then packets, each a u16 with its length and so many bytes. An encoder looks
 * ahead, so a stream begins with 6.5 ms that are no sound, and its last packet is filled up: both are left
 * out of the count, so that what is decoded is as long as what was encoded, to the sample.
 */

import { BadEvent, WIRE_RATE } from "./protocol.js";

/** Samples that a packet of ours stands for: 20 ms. */
export const PACKET_SAMPLES = WIRE_RATE / 50;

/** Samples before a stream's sound: what libopus looks ahead, 312 at 48 kHz. */
export const PRE_SKIP = 156;

const LONGEST_SAMPLES = WIRE_RATE;
const LARGEST_BYTES = 2 + 50 * (2 + 1275);
const BEGINS = 0x8000;

/** Milliseconds of a frame, by the configuration in a packet's first byte (RFC 6716, table 2). */
const FRAME_MS = [
  ...[10, 20, 40, 60, 10, 20, 40, 60, 10, 20, 40, 60],
  ...[10, 20, 10, 20],
  ...[2.5, 5, 10, 20, 2.5, 5, 10, 20, 2.5, 5, 10, 20, 2.5, 5, 10, 20],
];

/** @typedef {{ begins: boolean, samples: number, packets: Uint8Array[] }} Piece `samples` at 24 kHz */

/**
 * @param {Piece} piece
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function pack({ begins, samples, packets }) {
  const size = packets.reduce((sum, packet) => sum + 2 + packet.length, 2);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, samples | (begins ? BEGINS : 0), true);
  let at = 2;
  for (const packet of packets) {
    view.setUint16(at, packet.length, true);
    bytes.set(packet, at + 2);
    at += 2 + packet.length;
  }
  return bytes;
}

/**
 * @param {Uint8Array} bytes
 * @returns {Piece} its packets are views into `bytes`
 * @throws {BadEvent} if it is none
 */
export function unpack(bytes) {
  if (bytes.length < 2 || bytes.length > LARGEST_BYTES) throw bad("The piece of Opus is cut short, or too long.");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const head = view.getUint16(0, true);
  const begins = (head & BEGINS) !== 0;
  const samples = head & ~BEGINS;
  const packets = [];
  let length = 0;
  for (let at = 2; at < bytes.length; ) {
    const size = at + 2 <= bytes.length ? view.getUint16(at, true) : 0;
    at += 2;
    if (size === 0 || at + size > bytes.length) throw bad("A packet of Opus is empty or cut short.");
    const packet = bytes.subarray(at, at + size);
    length += duration(packet);
    packets.push(packet);
    at += size;
  }
  if (length > LONGEST_SAMPLES) throw bad("A piece of Opus lasts a second at most.");
  if (samples > length - (begins ? PRE_SKIP : 0)) throw bad("The packets of Opus are shorter than they are said to be.");
  return { begins, samples, packets };
}

/**
 * The samples that a packet stands for, at 24 kHz (RFC 6716, section 3.1).
 * @param {Uint8Array} packet
 */
export function duration(packet) {
  const [toc = 0, second = 0] = packet;
  const frames = [1, 2, 2, second & 63][toc & 3] ?? 0;
  const samples = (frames * (FRAME_MS[toc >> 3] ?? 0) * WIRE_RATE) / 1000;
  if (samples === 0 || samples > 6 * PACKET_SAMPLES) throw bad("A packet of Opus lasts 120 ms at most.");
  return samples;
}

/** @param {string} message */
function bad(message) {
  const error = new BadEvent(message);
  error.code = "invalid_audio";
  return error;
}

/** How much of each packet of a stream is sound, where it is encoded. */
export function createCounting() {
  let given = 0;
  let made = 0;
  const sound = () => Math.min(Math.max(0, made * PACKET_SAMPLES - PRE_SKIP), given);
  return {
    /** So many samples were given to the encoder. @param {number} samples */
    give(samples) {
      given += samples;
    },
    /** Samples of silence that bring out all that was given. */
    get missing() {
      return given === 0 ? 0 : Math.ceil((given + PRE_SKIP) / PACKET_SAMPLES) * PACKET_SAMPLES - given;
    },
    /** The encoder has made a packet: its piece. @param {Uint8Array} packet */
    take(packet) {
      const before = sound();
      made++;
      return { begins: made === 1, samples: sound() - before, packets: [packet] };
    },
  };
}

/** What of a decoder's output is sound, and whose: it gives one stream after another, without a mark. */
export function createTrimming() {
  /** @type {{ key: string, begins: boolean, left: number, sound: boolean }[]} */
  let spans = [];
  return {
    /** Whether all that is expected has come. */
    get empty() {
      return spans.length === 0;
    },
    /** @param {string} key @param {Piece} piece */
    expect(key, { begins, samples, packets }) {
      const length = packets.reduce((sum, packet) => sum + duration(packet), 0);
      const skipped = begins ? PRE_SKIP : 0;
      const parts = [
        { key, begins, left: skipped, sound: false },
        { key, begins: false, left: samples, sound: true },
        { key, begins: false, left: length - skipped - samples, sound: false },
      ];
      spans.push(...parts.filter(({ left }) => left > 0));
    },
    /**
     * What has come: the parts of it that are sound; `begins` comes with what precedes a stream's sound.
     * @param {Float32Array} output
     * @param {number} rate a multiple of the wire's
     */
    take(output, rate) {
      const times = rate / WIRE_RATE;
      /** @type {{ key: string, begins: boolean, samples: Float32Array }[]} */
      const parts = [];
      let at = 0;
      for (let span = spans[0]; span && at < output.length; span = spans[0]) {
        const count = Math.min(span.left, (output.length - at) / times);
        const end = at + count * times;
        const { key, begins } = span;
        if (span.sound || begins) parts.push({ key, begins, samples: output.subarray(span.sound ? at : end, end) });
        span.begins = false;
        span.left -= count;
        at = end;
        if (span.left === 0) spans.shift();
      }
      return parts;
    },
    /** Nothing is expected any more. */
    reset() {
      spans = [];
    },
  };
}
