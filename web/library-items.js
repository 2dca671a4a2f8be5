// @ts-check
/** Stored messages as items of the conversation on the screen. Pure. */

import { BLANK } from "./conversation.js";

/** @typedef {import("./conversation.js").Item} Item */
/** @typedef {import("./library-api.js").Message} Message */

/**
 * @param {readonly Message[]} messages
 * @returns {Item[]}
 */
export function itemsOf(messages) {
  return messages
    .filter(({ role, text, attachments, status }) =>
      role === "user" ? text || attachments.length : role === "assistant" && (text || status !== "complete"),
    )
    .map(itemOf);
}

/** @param {Message} message @returns {Item} */
export function itemOf(message) {
  const final = message.status !== "streaming";
  return {
    ...BLANK,
    id: message.id,
    role: /** @type {"user" | "assistant"} */ (message.role),
    text: message.text,
    html: message.html ?? "",
    final,
    interrupted: message.cut || message.status === "interrupted",
    timings: Object.keys(message.timings).length ? message.timings : null,
    played: true,
    stored: final,
    versions: message.versions,
    files: message.attachments,
    created: message.created_at,
    trouble: message.status === "failed" ? (message.error ?? "internal_error") : "",
  };
}
