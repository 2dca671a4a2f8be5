// @ts-check
/** Searching the conversations: words, dates, hits with what was found marked. Loaded when wanted. */

import { ask } from "./library-api.js";
import { address } from "./library-address.js";
import { formatDay, message } from "./messages.js";

/**
 * @typedef {object} Hit
 * @property {string} conversation_id
 * @property {string} title
 * @property {string | null} message_id
 * @property {{ text: string, marked: boolean }[]} pieces
 * @property {string} created_at
 */

/**
 * @param {HTMLElement} list where the hits go
 * @param {HTMLElement} status is told how many there are
 * @param {(id: string, message: string | null) => void} open
 */
export function createSearch(list, status, open) {
  let asked = 0;

  /** @param {string} day as a field of dates gives it @param {number} plus days */
  function limit(day, plus) {
    const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
    return new Date(year, month - 1, date + plus).toISOString();
  }

  /**
   * @param {{ words: string, since: string, until: string }} wanted
   * @param {string | null} [cursor]
   */
  async function search(wanted, cursor = null) {
    const turn = ++asked;
    const query = new URLSearchParams({ q: wanted.words });
    if (wanted.since) query.set("since", limit(wanted.since, 0));
    if (wanted.until) query.set("until", limit(wanted.until, 1));
    if (cursor) query.set("cursor", cursor);
    /** @type {{ hits: Hit[], cursor: string | null }} */
    const found = await ask("GET", `/search?${query}`);
    if (turn !== asked) return;
    const rows = found.hits.map(row);
    if (cursor) {
      list.querySelector(".more")?.remove();
      list.querySelector("ul")?.append(...rows);
      rows[0]?.querySelector("a")?.focus();
    } else {
      const hits = document.createElement("ul");
      hits.className = "hits";
      hits.append(...rows);
      list.replaceChildren(hits);
    }
    list.ariaBusy = null;
    const count = list.querySelectorAll(".hits > li").length;
    status.textContent = count ? message("search.count", { count }) : message("search.none");
    if (!found.cursor) return;
    const more = document.createElement("button");
    more.type = "button";
    more.className = "plain more";
    more.textContent = message("search.more");
    more.addEventListener("click", () => void search(wanted, found.cursor));
    list.append(more);
  }

  /** @param {Hit} hit */
  function row(hit) {
    const node = document.createElement("li");
    const link = document.createElement("a");
    link.href = address(hit.conversation_id, hit.message_id);
    const title = document.createElement("span");
    title.dir = "auto";
    title.textContent = hit.title;
    const when = document.createElement("small");
    when.textContent = formatDay(new Date(hit.created_at));
    link.append(title, when);
    if (hit.message_id) {
      const text = document.createElement("p");
      text.dir = "auto";
      for (const piece of hit.pieces) {
        if (!piece.marked) text.append(piece.text);
        else {
          const mark = document.createElement("mark");
          mark.textContent = piece.text;
          text.append(mark);
        }
      }
      link.append(text);
    }
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open(hit.conversation_id, hit.message_id);
    });
    node.append(link);
    return node;
  }

  return search;
}
