// @ts-check
/** Items of a conversation that is kept: what is stored, and what is on the screen, brought together. Pure. */

import { mergeCalls } from "./calls.js";

/** @typedef {import("./items.js").Item} Item */

/** The message that an item of a session becomes. @param {string} id */
export function messageId(id) {
  return id.replace(/^item_/, "msg_");
}

/**
 * As a session knows it that has begun anew with what is stored: its sound is gone.
 * @param {Item} item
 * @returns {Item}
 */
export function asMessage(item) {
  return { ...item, id: messageId(item.id), spoken: false, words: [], played: true };
}

/**
 * Those that are not on the screen.
 * @param {readonly Item[]} known
 * @param {readonly Item[]} items
 */
export function unknown(known, items) {
  const ids = new Set(known.map(({ id }) => messageId(id)));
  return items.filter(({ id }) => !ids.has(id));
}

/**
 * In the place of the one with its id, else at the end.
 * @param {readonly Item[]} items
 * @param {Item} item
 */
export function put(items, item) {
  const index = items.findIndex(({ id }) => id === item.id);
  const known = items[index];
  if (!known) return [...items, item];
  return items.with(index, { ...item, calls: mergeCalls(known.calls, item.calls) });
}

/**
 * What is stored tells more of the items that there are: versions, files, and how they are written.
 * @param {readonly Item[]} items
 * @param {readonly Item[]} stored
 * @returns {Item[]}
 */
export function note(items, stored) {
  const told = new Map(stored.map((item) => [item.id, item]));
  return items.map((item) => {
    const found = told.get(messageId(item.id));
    if (!found || !item.final || !found.stored) return item;
    const { versions, files, created, trouble, recorded } = found;
    const calls = mergeCalls(item.calls, found.calls);
    // Of what was heard only the beginning may be stored yet.
    const html = found.text === item.text ? found.html : item.html;
    const same = `${item.versions}` === `${versions}` && JSON.stringify(item.calls) === JSON.stringify(calls);
    if (item.stored && item.html === html && item.recorded === recorded && same) return item;
    return { ...item, stored: true, versions, files, calls, recorded, created, trouble, html };
  });
}
