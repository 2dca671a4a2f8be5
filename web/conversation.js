// @ts-check
/**
 * The conversation as the page knows it: `reduce(state, event)` for every event of the server and the
 * few `local.*` ones of the page. Pure; states are never changed, so an item that stayed the same is
 * the same object and need not be drawn again.
 */

import { asMessage, note, put, unknown } from "./stored.js";

/** @typedef {import("./protocol.js").WireEvent} WireEvent */
/** @typedef {import("./heard.js").Word} Word */

/**
 * @typedef {object} Item
 * @property {string} id
 * @property {"user" | "assistant" | "resumed"} role "resumed": a line between two connections
 * @property {string} text
 * @property {boolean} final false while words may still come
 * @property {boolean} failed the user's words could not be made out
 * @property {boolean} interrupted the reply was stopped before its end
 * @property {boolean} spoken the item has audio
 * @property {boolean} waiting it was written without a connection, and is sent when there is one
 * @property {boolean} early words that are heard before the server has made an item of them
 * @property {string} html the text as the server has rendered and sanitised it; "" where it has not
 * @property {Readonly<Record<string, number>> | null} timings ms of each stage of the answer
 * @property {readonly Word[]} words when each word sounds
 * @property {number} playedMs how much of the audio was heard
 * @property {boolean} played all of it was
 * @property {boolean} stored it is a message of a conversation that is kept
 * @property {readonly string[]} versions the messages that stand at its place, itself among them
 * @property {readonly import("./library-api.js").File[]} files what was sent with it
 * @property {string} created when, ISO 8601; "": now
 * @property {string} trouble the code of why it was not sent, or not answered
 */

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

/** @type {Omit<Item, "id" | "role">} */
export const BLANK = {
  text: "",
  final: false,
  failed: false,
  interrupted: false,
  spoken: false,
  waiting: false,
  early: false,
  html: "",
  timings: null,
  words: [],
  playedMs: 0,
  played: false,
  stored: false,
  versions: [],
  files: [],
  created: "",
  trouble: "",
};

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
 * @param {Conversation} state
 * @param {string} id
 * @param {(item: Item) => Partial<Item>} changes
 * @returns {Conversation}
 */
function update(state, id, changes) {
  const index = state.items.findIndex((item) => item.id === id);
  const item = state.items[index];
  if (!item) return state;
  return { ...state, items: state.items.with(index, { ...item, ...changes(item) }) };
}

/**
 * @param {Conversation} state
 * @param {string} id
 * @param {Partial<Item>} changes
 */
function change(state, id, changes) {
  return update(state, id, () => changes);
}

/**
 * @param {Conversation} state
 * @param {string} id
 * @param {string} text
 */
function append(state, id, text) {
  return update(state, id, (item) => (item.final ? {} : { text: item.text + text }));
}

/**
 * The text of an item as the server tells it, "" if it has none yet.
 * @param {{ content?: { text?: string | null, transcript?: string | null }[] }} item
 */
function textOf(item) {
  const parts = (item.content ?? []).map((part) => part.text ?? part.transcript ?? "");
  return parts.join("").trim();
}

/**
 * @param {Conversation} state
 * @param {WireEvent["item"]} item
 * @param {string | null | undefined} previous
 * @returns {Conversation}
 */
function add(state, item, previous) {
  if (item.type !== "message" || (item.role !== "user" && item.role !== "assistant")) return state;
  const known = state.items.find(({ id }) => id === item.id);
  if (known && !known.early && !known.waiting) return state;
  const text = textOf(item) || (known?.text ?? "");
  const typed = item.role === "user" && textOf(item) !== "";
  const spoken = item.role === "user" && !typed;
  /** @type {Item} */
  const added = { ...BLANK, id: item.id, role: item.role, text, spoken, final: typed };
  const others = state.items.filter((other) => other !== known);
  const after = others.findIndex((other) => other.id === previous);
  const at = after < 0 ? others.length : after + 1;
  return { ...state, items: others.toSpliced(at, 0, added) };
}

/**
 * @param {WireEvent["item"]} item
 * @returns {Item}
 */
function waitingItem(item) {
  return { ...BLANK, id: item.id, role: "user", text: textOf(item), final: true, waiting: true };
}

/**
 * Words of a turn that is still being spoken: they come before its item does.
 * @param {Conversation} state
 * @param {string} id
 * @param {string} delta
 */
function overhear(state, id, delta) {
  if (state.items.some((item) => item.id === id)) return append(state, id, delta);
  const { items } = dropEarly(state, id);
  /** @type {Item} */
  const early = { ...BLANK, id, role: "user", text: delta, spoken: true, early: true };
  return { ...state, items: [...items, early] };
}

/**
 * Forget words that no item was made of, but for those of item `id`.
 * @param {Conversation} state
 * @param {string | undefined} id
 * @returns {Conversation}
 */
function dropEarly(state, id) {
  if (!state.items.some((item) => item.early && item.id !== id)) return state;
  return { ...state, items: state.items.filter((item) => !item.early || item.id === id) };
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
 * @param {WireEvent["item"]} item
 */
function settle(state, item) {
  const text = textOf(item);
  return update(state, item.id, (known) => {
    // An unfinished item that carries text carries what was heard of it.
    const interrupted = known.interrupted || item.status === "incomplete";
    return {
      ...(text ? { text } : {}),
      interrupted,
      final: known.final || item.role === "assistant",
    };
  });
}

/**
 * @param {Conversation} state
 * @param {string} id
 * @param {number} ms
 */
function truncate(state, id, ms) {
  return change(state, id, { playedMs: ms, interrupted: true, final: true });
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
    .filter((item) => !item.early && (item.final || item.text !== ""))
    .map((item) => ({
      ...item,
      final: true,
      interrupted: item.interrupted || (item.role === "assistant" && !item.final),
    }));
  return { ...EMPTY, items, awaiting: items.some((item) => item.waiting) };
}
