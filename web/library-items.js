// @ts-check
/** Stored messages as items of the conversation on the screen. Pure. */

import { callsOf } from "./calls.js";
import { BLANK } from "./items.js";

/** @typedef {import("./items.js").Item} Item */
/** @typedef {import("./library-api.js").Message} Message */

/** What is shown of it as a turn of its own. @param {Message} message */
function isTurn({ role, text, attachments, status }) {
  if (role === "user") return text !== "" || attachments.length > 0;
  return role === "assistant" && (text !== "" || status !== "complete");
}

/**
 * What a tool gave belongs to the answer that called it. In a spoken reply the call is a message of its own:
 * it belongs to the words that come of it.
 * @param {readonly Message[]} messages
 * @returns {Item[]}
 */
export function itemsOf(messages) {
  const outputs = new Map(messages.filter(({ role }) => role === "tool").map((each) => [each.tool_call_id ?? "", each]));
  /** @type {Item[]} */
  const items = [];
  /** @type {Item["calls"]} */
  let before = [];
  for (const message of messages) {
    if (isTurn(message)) {
      const item = itemOf(message, outputs);
      const theirs = item.role === "assistant" ? before : [];
      items.push(theirs.length ? { ...item, calls: [...theirs, ...item.calls] } : item);
      before = [];
    } else if (message.role === "assistant") before = [...before, ...callsOf(message, outputs)];
  }
  return items;
}

/**
 * @param {Message} message
 * @param {ReadonlyMap<string, Message>} [outputs] what tools gave, by call
 * @returns {Item}
 */
export function itemOf(message, outputs = new Map()) {
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
    calls: callsOf(message, outputs),
    recorded: message.audio ?? false,
    created: message.created_at,
    trouble: message.status === "failed" ? (message.error ?? "internal_error") : "",
  };
}
