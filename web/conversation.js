// @ts-check
/**
 * The conversation as the page knows it: `reduce(state, event)` for every event of the server and the
 * few `local.*` ones of the page. Pure; states are never changed, so an item that stayed the same is
 * the same object and need not be drawn again.
 */

import { hearCall } from "./calls.js";
import { BLANK, add, append, change, dropEarly, overhear, settle, truncate, update, waitingItem } from "./items.js";
import { asMessage, note, put, unknown } from "./stored.js";

/** @typedef {import("./protocol.js").WireEvent} WireEvent */
/** @typedef {import("./items.js").Item} Item */

/** @typedef {{ id: string, turn: number }} Response */

/**
 * @typedef {object} Conversation
 * @property {readonly Item[]} items
 * @property {Response | null} response the reply being made, if any
 * @property {boolean} awaiting a reply was asked for and has not begun
 * @property {boolean} userSpeaking the server hears speech
 * @property {string} silence the item that a long silence has become
 * @property {Readonly<Record<string, number>>} turnOfItem
 * @property {{ turn: number, stages: Record<string, number> } | null} timings of a reply whose item is not there yet
 */

/** @type {Conversation} */
export const EMPTY = Object.freeze({
  items: Object.freeze([]),
  response: null,
  awaiting: false,
  userSpeaking: false,
  silence: "",
  turnOfItem: Object.freeze({}),
  timings: null,
});

/**
 * @param {Conversation} state
 * @param {WireEvent} event
 * @returns {Conversation}
 */
export function reduce(state, event) {
  switch (event.type) {
    case "local.asked":
      return { ...state, awaiting: true };
    case "local.waiting":
      return { ...state, items: [...state.items, waitingItem(event.item)] };
    case "local.dropped":
      return { ...state, awaiting: false };
    case "local.played":
      return change(state, event.item_id, { playedMs: event.audio_end_ms, played: event.done });
    case "local.lost":
      return lose(state);
    case "local.restored":
      return breakOff(state);
    case "local.opened":
      return { ...EMPTY, items: event["items"] };
    case "local.older":
      return { ...state, items: [...unknown(state.items, event["items"]), ...state.items] };
    case "local.put":
      return { ...state, items: put(state.items, event.item) };
    case "local.more":
      return append(state, event.item_id, event.delta);
    case "local.call":
      return update(state, event.item_id, ({ calls }) => ({ calls: hearCall(calls, event["call"]) }));
    case "local.taken":
      return { ...state, items: state.items.filter(({ id }) => !event["ids"].includes(id)) };
    case "local.stored":
      return { ...state, items: note(state.items, event["items"]) };
    case "local.attached":
      return attach(breakOff(state));
    case "local.cleared":
      return { ...EMPTY, response: state.response, turnOfItem: state.turnOfItem };

    case "input_audio_buffer.speech_started":
      return { ...state, userSpeaking: true };
    case "input_audio_buffer.speech_stopped":
      return { ...state, userSpeaking: false };
    case "input_audio_buffer.committed":
      return { ...dropEarly(state, event.item_id), userSpeaking: false };
    case "input_audio_buffer.cleared":
      return { ...dropEarly(state, undefined), userSpeaking: false };

    case "input_audio_buffer.timeout_triggered":
      return { ...state, silence: event.item_id };

    case "conversation.item.added":
      if (event.item.id === state.silence) return state; // nothing was said: nothing to show
      return add(state, event.item, event.previous_item_id);
    case "conversation.item.done":
      return settle(state, event.item);
    case "conversation.item.deleted":
      return { ...state, items: state.items.filter((item) => item.id !== event.item_id) };
    case "conversation.item.truncated":
      return truncate(state, event.item_id, event.audio_end_ms);

    case "conversation.item.input_audio_transcription.delta":
      return overhear(state, event.item_id, event.delta ?? "");
    case "conversation.item.input_audio_transcription.completed":
      return change(state, event.item_id, {
        text: event.transcript.trim(),
        final: true,
        failed: event.transcript.trim() === "",
      });
    case "conversation.item.input_audio_transcription.failed":
      return change(state, event.item_id, { final: true, failed: true });

    case "response.created":
      return {
        ...state,
        awaiting: false,
        response: { id: event.response.id ?? "", turn: event.turn },
      };
    case "response.output_item.added":
      if (event.item.type !== "message") return state;
      return {
        ...time(add(state, event.item, undefined), event.item.id, event.turn),
        turnOfItem: { ...state.turnOfItem, [event.item.id]: event.turn },
      };
    case "response.timings": {
      const id = itemOfTurn(state, event.turn);
      if (id !== undefined) return change(state, id, { timings: event["stages"] });
      return { ...state, timings: { turn: event.turn, stages: event["stages"] } };
    }
    case "conversation.item.rendered":
      return change(state, event.item_id, { html: event["html"] });
    case "response.output_text.delta":
      return append(state, event.item_id, event.delta);
    case "response.output_audio_transcript.delta":
      return change(append(state, event.item_id, event.delta), event.item_id, { spoken: true });
    case "response.output_text.done":
      return change(state, event.item_id, { text: event.text });
    case "response.output_audio_transcript.done":
      return change(state, event.item_id, { text: event.transcript, spoken: true });
    case "response.output_audio.words":
      return update(state, event.item_id, (item) => ({
        spoken: true,
        words: [...item.words, ...event.words],
      }));
    case "output_audio_buffer.cleared":
      return { ...state, items: closeTurn(state, event.turn, true) };
    case "response.done":
      return finish(state, event);

    case "error":
      return { ...state, awaiting: false };
    default:
      return state;
  }
}

/**
 * The item that the audio frames of a turn belong to: the latest message of that reply.
 * @param {Conversation} state
 * @param {number} turn
 */
export function itemOfTurn(state, turn) {
  return Object.keys(state.turnOfItem).findLast((id) => state.turnOfItem[id] === turn);
}

/**
 * The timings of a reply that were told before its item.
 * @param {Conversation} state
 * @param {string} id
 * @param {number} turn
 */
function time(state, id, turn) {
  if (state.timings?.turn !== turn) return state;
  return { ...change(state, id, { timings: state.timings.stages }), timings: null };
}

/**
 * The items that the server knows: those since the last time the connection was lost.
 * @param {Conversation} state
 */
export function knownItems({ items }) {
  return items.slice(items.findLastIndex((item) => item.role === "resumed") + 1);
}

/**
 * @param {Conversation} state
 * @param {WireEvent} event a `response.done`
 * @returns {Conversation}
 */
function finish(state, event) {
  const items = closeTurn(state, event.turn, event.response.status === "cancelled");
  const current = state.response?.turn === event.turn ? null : state.response;
  // A reply that was stopped before it said anything leaves no trace.
  const said = items.filter((item) => item.text !== "" || item.role !== "assistant" || !item.final);
  return { ...state, items: said, response: current };
}

/**
 * @param {Conversation} state
 * @param {number} turn
 * @param {boolean} interrupted
 */
function closeTurn(state, turn, interrupted) {
  return state.items.map((item) => {
    if (item.role !== "assistant" || state.turnOfItem[item.id] !== turn) return item;
    return { ...item, final: true, interrupted: item.interrupted || interrupted };
  });
}

/**
 * What has come to an end is known to the session under the ids that it is stored under.
 * @param {Conversation} state
 * @returns {Conversation}
 */
function attach(state) {
  return { ...state, items: state.items.map((item) => (item.waiting ? item : asMessage(item))) };
}

/**
 * @param {Conversation} state
 * @returns {Conversation}
 */
function lose(state) {
  const { items, awaiting } = breakOff(state);
  const known = items.filter((item) => !item.waiting);
  const waiting = items.filter((item) => item.waiting);
  const last = known.at(-1);
  if (last && last.role !== "resumed") {
    known.push({ ...BLANK, id: `resumed-${known.length}`, role: "resumed", final: true });
  }
  return { ...EMPTY, items: [...known, ...waiting], awaiting };
}

/**
 * What was being said, by either side, comes to no end.
 * @param {Conversation} state
 * @returns {Conversation & { items: Item[] }}
 */
function breakOff(state) {
  const items = state.items
    .filter((item) => !item.early && (item.final || item.text !== "" || item.calls.length > 0))
    .map((item) => ({
      ...item,
      final: true,
      interrupted: item.interrupted || (item.role === "assistant" && !item.final),
    }));
  return { ...EMPTY, items, awaiting: items.some((item) => item.waiting) };
}
