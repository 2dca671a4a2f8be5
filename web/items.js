// @ts-check
/** One item of the conversation, and how single ones change. Pure. */

/** @typedef {import("./conversation.js").Conversation} Conversation */
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
 * @property {readonly import("./calls.js").Call[]} calls the tools that were called for it
 * @property {boolean} recorded its sound is kept, too
 * @property {string} created when, ISO 8601; "": now
 * @property {string} trouble the code of why it was not sent, or not answered
 */

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
  calls: [],
  recorded: false,
  created: "",
  trouble: "",
};

/**
 * @param {Conversation} state
 * @param {string} id
 * @param {(item: Item) => Partial<Item>} changes
 * @returns {Conversation}
 */
export function update(state, id, changes) {
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
export function change(state, id, changes) {
  return update(state, id, () => changes);
}

/**
 * @param {Conversation} state
 * @param {string} id
 * @param {string} text
 */
export function append(state, id, text) {
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
export function add(state, item, previous) {
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
export function waitingItem(item) {
  return { ...BLANK, id: item.id, role: "user", text: textOf(item), final: true, waiting: true };
}

/**
 * Words of a turn that is still being spoken: they come before its item does.
 * @param {Conversation} state
 * @param {string} id
 * @param {string} delta
 */
export function overhear(state, id, delta) {
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
export function dropEarly(state, id) {
  if (!state.items.some((item) => item.early && item.id !== id)) return state;
  return { ...state, items: state.items.filter((item) => !item.early || item.id === id) };
}

/**
 * @param {Conversation} state
 * @param {WireEvent["item"]} item
 */
export function settle(state, item) {
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
export function truncate(state, id, ms) {
  return change(state, id, { playedMs: ms, interrupted: true, final: true });
}
