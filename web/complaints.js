// @ts-check
/** What an error says to the user, if anything. Pure but for the console. */

import { MicrophoneError } from "./microphone.js";

/** Answers to a race that is nobody's fault: the reply had just ended, the tap was empty. */
const HARMLESS = new Set([
  "input_audio_buffer_commit_empty",
  "response_cancel_not_active",
  "item_delete_invalid_item_id",
]);

/** @typedef {Parameters<import("./client.js").Ports["notify"]>} Notice */

/**
 * An `error` of the server; null if it is of no interest.
 * @param {{ code?: string, message: string }} error
 * @returns {Notice | null}
 */
export function complaintOf({ code = "", message }) {
  if (HARMLESS.has(code)) return null;
  if (code === "item_retrieve_invalid_item_id") return ["notice.replay_gone", { passing: true }];
  return ["notice.server_error", { values: { message } }];
}

/**
 * A microphone that cannot be opened.
 * @param {unknown} error
 * @returns {Notice}
 */
export function troubleOf(error) {
  if (error instanceof MicrophoneError) return [`notice.${error.code}`];
  console.error(error);
  return ["notice.microphone_failed"];
}
