// @ts-check
/** The sound of what was said in a conversation that is kept, where the server records it. */

import { request } from "./library-api.js";
import { WIRE_RATE } from "./protocol.js";
import { REPLAY } from "./replay.js";
import { messageId } from "./stored.js";

/**
 * Play what was recorded of an item. Raises `ApiError`, `not_found` if there is no sound.
 * @param {ReturnType<typeof import("./speaker.js").createSpeaker>} speaker
 * @param {string} conversation
 * @param {string} item
 */
export async function playRecorded(speaker, conversation, item) {
  const sound = await fetchSound(conversation, messageId(item));
  void speaker.stop();
  speaker.push(REPLAY + item, sound);
  speaker.finish(REPLAY + item);
}

/**
 * The samples at `WIRE_RATE`.
 * @param {string} conversation
 * @param {string} message
 */
async function fetchSound(conversation, message) {
  const path = `/conversations/${conversation}/messages/${message}/audio`;
  const file = await (await request("GET", path, undefined, {})).arrayBuffer();
  // Whatever the file's rate is, it comes out at the context's.
  const decoded = await new OfflineAudioContext(1, 1, WIRE_RATE).decodeAudioData(file);
  return Int16Array.from(decoded.getChannelData(0), (each) => Math.round(Math.max(-1, Math.min(1, each)) * 32_767));
}
