// @ts-check
/** The chat core's HTTP interface: requests, uploads with progress, streams of an answer. */

const ROOT = "/api/v1";
const POLL_MS = 700;

/** What the server, or the way to it, had to say against a request. */
export class ApiError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {number} status 0: nothing came back
   */
  constructor(code, message, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** @typedef {{ id: string, name: string, media_type: string, size: number }} File */
/**
 * @typedef {object} Stored a conversation as the server lists it
 * @property {string} id
 * @property {string} title
 * @property {string} title_source "temporary" until it has one of its own
 * @property {boolean} pinned
 * @property {boolean} archived
 * @property {boolean} ephemeral
 * @property {string[]} tags
 * @property {string} draft
 * @property {string} updated_at
 */
/**
 * @typedef {object} Message
 * @property {string} id
 * @property {string} role
 * @property {string} text
 * @property {string} [html]
 * @property {string} status
 * @property {boolean} cut
 * @property {Record<string, number>} timings
 * @property {File[]} attachments
 * @property {string | null} error
 * @property {string} created_at
 * @property {string[]} versions
 */

/**
 * @param {string} method
 * @param {string} path below /api/v1
 * @param {object} [body]
 * @param {Record<string, string>} [headers]
 */
export async function ask(method, path, body, headers = {}) {
  const response = await request(method, path, body, headers);
  return response.status === 204 ? null : response.json();
}

/** An id of one's own: so that trying again is the same thing, not another. @param {string} prefix */
export function newId(prefix) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `${prefix}_${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object | undefined} body
 * @param {Record<string, string>} headers
 */
async function request(method, path, body, headers) {
  /** @type {Record<string, string>} */
  const json = body === undefined ? {} : { "content-type": "application/json" };
  let response;
  try {
    response = await fetch(ROOT + path, {
      method,
      headers: { ...json, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError("unreachable", "", 0);
  }
  if (response.ok) return response;
  throw failure(response.status, await response.text());
}

/**
 * @param {number} status
 * @param {string} text
 */
function failure(status, text) {
  try {
    const { code, message } = JSON.parse(text);
    return new ApiError(String(code), String(message), status);
  } catch {
    return new ApiError("internal_error", "", status);
  }
}

/**
 * Send a question, change one, or ask anew; `heard` is called for each event of the answer's stream. Raises
 * `ApiError`, `stream_lost` if the stream breaks off: the answer may go on at the server all the same.
 * @param {string} path
 * @param {object} body
 * @param {string} key the Idempotency-Key
 * @param {(kind: string, data: any) => void} heard
 */
export async function converse(path, body, key, heard) {
  const headers = { accept: "text/event-stream", "idempotency-key": key };
  const response = await request("POST", path, body, headers);
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
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
  if (!ended) throw new ApiError("stream_lost", "", 0);
}

/**
 * Send a file as it is. Raises `ApiError`, `aborted` if it was called off.
 * @param {string} path
 * @param {Blob} file
 * @param {{ progress: (share: number) => void, signal?: AbortSignal }} how `share`: 0 to 1
 * @returns {Promise<any>}
 */
export function upload(path, file, { progress, signal }) {
  return new Promise((resolve, reject) => {
    // `fetch` tells nothing about the way up.
    const line = new XMLHttpRequest();
    line.open("POST", ROOT + path);
    line.setRequestHeader("content-type", "application/octet-stream");
    line.setRequestHeader("idempotency-key", newId("up"));
    line.upload.onprogress = ({ loaded, total }) => total > 0 && progress(loaded / total);
    line.onload = () => {
      if (line.status < 300) resolve(JSON.parse(line.responseText));
      else reject(failure(line.status, line.responseText));
    };
    line.onerror = () => reject(new ApiError("unreachable", "", 0));
    line.onabort = () => reject(new ApiError("aborted", "", 0));
    signal?.addEventListener("abort", () => line.abort());
    line.send(file);
  });
}

/**
 * Wait until a job is done. Raises `ApiError` `job_failed` if it never will be.
 * @param {{ id: string, state: string, error: string | null, result: any, download: string | null }} job
 */
export async function finish(job) {
  while (job.state !== "done") {
    if (job.state === "dead") {
      const [code = "", ...words] = (job.error ?? "").split(": ");
      throw new ApiError(code, words.join(": "), 0);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    job = await ask("GET", `/jobs/${job.id}`);
  }
  return job;
}
