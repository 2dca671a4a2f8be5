// @ts-check
/** The chat core's HTTP interface: requests, uploads with progress, jobs. */

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
 * @property {{ id: string, name: string, arguments: string }[]} [tool_calls]
 * @property {string} [tool_call_id] of a message of the role "tool"
 * @property {boolean} [audio] its sound can be had
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
 * The answer, whatever it is. Raises `ApiError`.
 * @param {string} method
 * @param {string} path below /api/v1
 * @param {object | undefined} body
 * @param {Record<string, string>} headers
 * @param {AbortSignal} [signal]
 */
export async function request(method, path, body, headers, signal) {
  /** @type {Record<string, string>} */
  const json = body === undefined ? {} : { "content-type": "application/json" };
  let response;
  try {
    response = await fetch(ROOT + path, {
      method,
      headers: { ...json, ...headers },
      ...(signal ? { signal } : {}),
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
