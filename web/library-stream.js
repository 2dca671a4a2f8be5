// @ts-check
/** The stream of an answer, as it is written. */

import { ApiError, request } from "./library-api.js";

/** @typedef {(kind: string, data: any) => void} Heard called for each event */

const ACCEPT = Object.freeze({ accept: "text/event-stream" });
const AGAIN_MS = 1000;

/**
 * Send a question, change one, or ask anew. Raises `ApiError`, `stream_lost` if the stream breaks off: the
 * answer may go on at the server all the same. Calling it off leaves what was sent as it is.
 * @param {string} path
 * @param {object} body
 * @param {string} key the Idempotency-Key
 * @param {Heard} heard
 * @param {AbortSignal} signal
 */
export async function converse(path, body, key, heard, signal) {
  await read(await request("POST", path, body, { ...ACCEPT, "idempotency-key": key }), heard, signal);
}

/**
 * An answer that is written already, from its beginning to its end; as often as the way to the server breaks
 * off, anew. Raises `ApiError` if the server has no such answer. Returns early if it is called off.
 * @param {string} path the message's
 * @param {Heard} heard
 * @param {AbortSignal} signal
 */
export async function follow(path, heard, signal) {
  while (!signal.aborted) {
    try {
      return await read(await request("GET", `${path}/stream`, undefined, ACCEPT, signal), heard, signal);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 0) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/**
 * @param {Response} response
 * @param {Heard} heard
 * @param {AbortSignal} signal
 */
async function read(response, heard, signal) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const cancel = () => void reader.cancel().catch(() => undefined);
  if (signal.aborted) return cancel();
  signal.addEventListener("abort", cancel, { once: true });
  const decoder = new TextDecoder();
  let text = "";
  let ended = false;
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
    if (done) break;
    text += decoder.decode(value, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const kind = /^event: ?(.*)$/m.exec(block)?.[1];
      const data = /^data: ?(.*)$/m.exec(block)?.[1];
      if (!kind || data === undefined) continue;
      ended ||= kind === "message.done" || kind === "message.failed";
      heard(kind, JSON.parse(data));
    }
  }
  signal.removeEventListener("abort", cancel);
  if (!ended) throw new ApiError("stream_lost", "", 0);
}
