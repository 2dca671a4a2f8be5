// @ts-check
/**
 * The wire, `vivavoce.v1`: one vocabulary of events, two encodings. Pure.
 *
 * Audio travels as binary frames, everything else as JSON text. `encode` and `decode` hide which is
 * which, so the rest of the page knows only events. The same cases are run against this codec and the
 * server's: `tests/fixtures/wire/`.
 *
 * client -> server
 *   session.update                     voice, language, who ends a turn, spoken or written replies
 *   input_audio_buffer.append          the microphone (binary, kind 1: samples, 3: Opus)
 *   input_audio_buffer.commit | clear  push-to-talk: the turn is said | forget what was heard
 *   conversation.item.create           a typed message
 *   conversation.item.truncate         a reply was stopped here; what follows was not heard
 *   response.create | cancel           answer now | stop answering
 *   output_audio_buffer.played         how much of a reply the listener has heard
 *
 * server -> client
 *   session.created | updated, error
 *   input_audio_buffer.speech_started | speech_stopped | timeout_triggered | committed | cleared
 *   conversation.item.added | done | truncated | deleted
 *   conversation.item.input_audio_transcription.delta | completed | failed
 *   response.created | done, response.output_item.added | done, response.content_part.added | done
 *   response.output_text.delta | done, response.output_audio_transcript.delta | done
 *   response.output_audio.delta (binary, kind 2: samples, 4: Opus), response.output_audio.done
 *   response.output_audio.words        when each word of the audio sounds
 *   response.voice_missing             no voice speaks the user's language; another one reads
 *   output_audio_buffer.cleared        an interruption: stop the playback of that turn
 */

/** The subprotocol the page offers. */
export const SUBPROTOCOL = "vivavoce.v1";

/** Samples a second of all audio on the wire. */
export const WIRE_RATE = 24000;

const HEADER_BYTES = 8;
const MICROPHONE = 1;
const REPLY = 2;
const MICROPHONE_OPUS = 3;
const REPLY_OPUS = 4;
const KINDS = [MICROPHONE, REPLY, MICROPHONE_OPUS, REPLY_OPUS];

/**
 * An event as it comes or goes. Fields beyond `type` depend on it; a received event is data from
 * outside, so whoever reads a field checks it.
 * @typedef {{ type: string, [field: string]: any }} WireEvent
 */

/** A message that is no event; `code` is what the server answers in the same case. */
export class BadEvent extends Error {
  code = "invalid_event";
}

/**
 * The message for an event: a binary frame for audio (samples as Int16Array, a piece of Opus as
 * Uint8Array), else JSON.
 * @param {WireEvent} event
 * @returns {string | ArrayBuffer}
 */
export function encode(event) {
  if (event.type === "input_audio_buffer.append") {
    if (event.audio instanceof Int16Array) return encodeFrame(MICROPHONE, 0, event.audio);
    if (event.audio instanceof Uint8Array) return encodeFrame(MICROPHONE_OPUS, 0, event.audio);
  }
  if (event.type === "response.output_audio.delta") {
    if (event.delta instanceof Int16Array) return encodeFrame(REPLY, event.turn, event.delta);
    if (event.delta instanceof Uint8Array) return encodeFrame(REPLY_OPUS, event.turn, event.delta);
  }
  return JSON.stringify(event);
}

/**
 * The event in a message. Audio comes out as Int16Array (samples) or Uint8Array (a piece of Opus, see
 * opus.js) in the field that holds base64 in JSON (`audio` of an append, `delta` of a reply).
 * @param {string | ArrayBuffer} message
 * @returns {WireEvent}
 * @throws {BadEvent} if it is neither a well-formed frame nor a JSON object with a `type`
 */
export function decode(message) {
  if (typeof message !== "string") return decodeFrame(message);
  let event;
  try {
    event = JSON.parse(message);
  } catch {
    throw new BadEvent("The message is not JSON.");
  }
  if (event === null || typeof event !== "object" || typeof event.type !== "string") {
    throw new BadEvent("The message is not an object with a type.");
  }
  return event;
}

/**
 * @param {number} kind
 * @param {number} turn
 * @param {Int16Array | Uint8Array} payload
 * @returns {ArrayBuffer}
 */
function encodeFrame(kind, turn, payload) {
  const frame = new ArrayBuffer(HEADER_BYTES + payload.byteLength);
  const header = new DataView(frame);
  header.setUint8(0, kind);
  header.setUint32(4, turn, true);
  // Typed arrays use the machine's byte order; every browser's machine is little-endian.
  const bytes = new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  new Uint8Array(frame, HEADER_BYTES).set(bytes);
  return frame;
}

/**
 * @param {ArrayBuffer} frame
 * @returns {WireEvent}
 */
function decodeFrame(frame) {
  if (frame.byteLength < HEADER_BYTES) throw new BadEvent("The frame's header is cut short.");
  const header = new DataView(frame);
  if (header.getUint8(1) !== 0 || header.getUint16(2, true) !== 0) {
    throw new BadEvent("Reserved bytes of the frame are not zero.");
  }
  const kind = header.getUint8(0);
  const turn = header.getUint32(4, true);
  if (!KINDS.includes(kind)) throw new BadEvent(`The frame is of an unknown kind: ${kind}.`);
  const opus = kind === MICROPHONE_OPUS || kind === REPLY_OPUS;
  if (!opus && frame.byteLength % 2 !== 0) throw new BadEvent("The frame's payload has an odd byte count.");
  const sound = opus ? new Uint8Array(frame, HEADER_BYTES) : new Int16Array(frame, HEADER_BYTES);
  if (kind === REPLY || kind === REPLY_OPUS) return { type: "response.output_audio.delta", turn, delta: sound };
  if (turn !== 0) throw new BadEvent("A microphone frame belongs to no turn.");
  return { type: "input_audio_buffer.append", audio: sound };
}
