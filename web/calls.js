// @ts-check
/** The tools that the model called for an answer: what is known of each call. Pure. */

/** @typedef {import("./library-api.js").Message} Message */
/**
 * @typedef {object} Call
 * @property {string} id
 * @property {string} name
 * @property {string} arguments JSON
 * @property {"asked" | "called" | "done" | "failed"} state "asked": it waits for the user's word
 * @property {string} output what it gave, "" until that is known
 */

/** Which of two reports of a call is the later one. */
const RANK = Object.freeze({ asked: 0, called: 1, done: 2, failed: 2 });

/**
 * The calls of a stored message.
 * @param {Message} message
 * @param {ReadonlyMap<string, Message>} outputs the messages of the role `tool`, by the call they belong to
 * @returns {Call[]}
 */
export function callsOf(message, outputs) {
  return (message.tool_calls ?? []).map((call) => {
    const output = outputs.get(call.id);
    const unknown = message.status === "streaming" ? "called" : "done";
    const state = output ? (output.status === "failed" ? "failed" : "done") : unknown;
    return { ...call, state, output: output?.text ?? "" };
  });
}

/**
 * What an event of the stream, or of `/events`, says of a call; null if it is about none.
 * @param {string} kind
 * @param {any} data
 * @returns {Partial<Call> & { id: string } | null}
 */
export function toldOf(kind, data) {
  if (kind === "tool.asked") return { ...data.call, state: "asked" };
  if (kind === "tool.called") return { ...data.call, state: "called" };
  if (kind === "tool.answered") return { id: data.call_id, state: data.failed ? "failed" : "done" };
  return null;
}

/**
 * More is known of one call. What is known already of a later time stays: a stream that is read anew tells
 * everything again.
 * @param {readonly Call[]} calls
 * @param {Partial<Call> & { id: string }} told
 * @returns {readonly Call[]}
 */
export function hearCall(calls, told) {
  const index = calls.findIndex(({ id }) => id === told.id);
  const known = calls[index];
  if (!known) {
    const { id, name = "", state = "called", output = "" } = told;
    return [...calls, { id, name, arguments: told.arguments ?? "", state, output }];
  }
  const state = told.state && RANK[told.state] > RANK[known.state] ? told.state : known.state;
  return calls.with(index, { ...known, ...told, state });
}

/**
 * What two sources know of an answer's calls.
 * @param {readonly Call[]} before
 * @param {readonly Call[]} calls
 */
export function mergeCalls(before, calls) {
  const output = new Map(before.map((call) => [call.id, call.output]));
  return calls.reduce((all, call) => hearCall(all, { ...call, output: call.output || (output.get(call.id) ?? "") }), before);
}

/** A tool's name as people read it: those of a server bear its name before their own. @param {string} name */
export function nameOf(name) {
  return name.replace("__", ": ");
}

/** What a tool was called with, "" if nothing. @param {string} json */
export function argumentsOf(json) {
  let value;
  try {
    value = JSON.parse(json);
  } catch {
    return json;
  }
  if (value === null || typeof value !== "object") return String(value ?? "");
  const lines = Object.entries(value).map(([name, each]) => {
    return `${name}: ${typeof each === "string" ? each : JSON.stringify(each)}`;
  });
  return lines.join("\n");
}
