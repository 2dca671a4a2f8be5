// @ts-check
/** The turns of the conversation in the document, and what can be done with each. */

import { showCalls } from "./calls-view.js";
import { nameOf } from "./calls.js";
import { heardLength } from "./heard.js";
import { showHtml } from "./markup.js";
import { explain, formatDay, formatTime, message } from "./messages.js";
import { drawSpoken, span } from "./spoken.js";
import { messageId } from "./stored.js";
import { button, plainButton, showFiles, timingsOf } from "./turn-parts.js";

/** @typedef {import("./items.js").Item} Item */
/** @typedef {import("./messages.js").MessageKey} MessageKey */
/** @typedef {{ itemId: string, ms: number } | null} Position */

/**
 * @typedef {object} Acts what can be done with a turn
 * @property {(text: string) => void} copy
 * @property {(id: string) => void} replay
 * @property {(id: string, text: string) => void} resend
 * @property {(id: string) => void} regenerate
 * @property {(id: string, version: string) => void} [choose] show another version
 * @property {(id: string) => void} [compare] show all versions side by side
 * @property {(id: string) => void} [branch] go on from here in another conversation
 * @property {(id: string, call: string, word: import("./calls-view.js").Word) => Promise<boolean> | undefined} [decide] whether a tool may be called
 * @property {(id: string) => void} [retry] send once more what was not sent
 * @property {(id: string) => void} [takeBack] put it into the box again
 */

/**
 * @param {{ log: HTMLElement, scroller: HTMLElement, announcer: HTMLElement }} elements
 * @param {Acts} acts
 */
export function createTurns({ log, scroller, announcer }, acts) {
  /** @type {Map<string, { item: Item, node: HTMLElement, heard: number, known: boolean, last: boolean }>} */
  const drawn = new Map();
  /** @type {readonly Item[]} */
  let shown = [];
  /** @type {Position} */
  let position = null;

  /**
   * @param {readonly Item[]} items
   * @param {{ announce: boolean }} how announce finished replies to a screen reader: only if they
   *   are not spoken, or two voices would talk at once
   */
  function show(items, { announce }) {
    const before = shown[0]?.id;
    const older = before === undefined ? -1 : items.findIndex(({ id }) => id === before);
    const height = scroller.scrollHeight;
    shown = items;
    const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 64;
    const present = new Set(items.map((item) => item.id));
    for (const [id, { node }] of drawn) {
      if (present.has(id)) continue;
      node.remove();
      drawn.delete(id);
    }
    const lost = items.findLastIndex((item) => item.role === "resumed");
    items.forEach((item, index) => {
      const before = drawn.get(item.id);
      const node = before?.node ?? createTurn(item);
      const known = index > lost;
      const last = index === items.length - 1;
      const heard = heardOf(item);
      if (before?.item !== item || before.heard !== heard) drawText(node, item, heard);
      if (before?.item !== item || before.known !== known || before.last !== last) {
        drawActs(node, item, { known, last });
      }
      if (log.children[index] !== node) log.insertBefore(node, log.children[index] ?? null);
      if (announce && item.role === "assistant" && item.final && before && !before.item.final) {
        announcer.textContent = item.text;
      }
      const question = item.calls.find(({ state }) => state === "asked");
      if (question && before?.item.calls !== item.calls) {
        announcer.textContent = message("call.question", { name: nameOf(question.name) });
      }
      drawn.set(item.id, { item, node, heard, known, last });
    });
    if (older > 0) scroller.scrollTop += scroller.scrollHeight - height;
    else if (atEnd) scroller.scrollTop = scroller.scrollHeight;
  }

  /** How many characters the listener has come into it; -1 if that is not to be shown. @param {Item} item */
  function heardOf(item) {
    const here = position?.itemId === item.id;
    if (item.words.length === 0 || (item.played && !here)) return -1;
    return heardLength(item.text, item.words, here ? (position?.ms ?? 0) : item.playedMs);
  }

  /**
   * @param {HTMLElement} node
   * @param {Item} item
   * @param {number} heard
   */
  function drawText(node, item, heard) {
    node.dataset["pending"] = String(!item.final);
    if (item.failed) node.dataset["failed"] = "true";
    showFiles(node, item.files);
    showCalls(node, item.calls, (call, word) => acts.decide?.(item.id, call, word));
    if (node.querySelector(".rewrite")) return;
    const rich = item.html !== "" && heard < 0 && !item.interrupted;
    const text = bodyOf(node, rich ? "div" : "p");
    if (rich) return showHtml(text, item.html, acts.copy);
    text.replaceChildren();
    if (item.role === "resumed") text.textContent = message("conversation.resumed");
    else if (item.failed) text.textContent = message("conversation.unheard");
    else if (item.trouble && item.text === "") text.textContent = explain(item.trouble);
    else if (item.text === "") text.textContent = message("conversation.pending");
    else {
      const sounds = heard >= 0 && position?.itemId === item.id;
      drawSpoken(text, item.text, heard, sounds, item.interrupted);
      if (item.interrupted) text.append(" ", span("mark", message("conversation.interrupted")));
      if (item.waiting) text.append(" ", span("mark", message("conversation.waiting")));
    }
  }

  /**
   * @param {HTMLElement} node
   * @param {Item} item
   * @param {{ known: boolean, last: boolean }} where `known` to the server
   */
  function drawActs(node, item, { known, last }) {
    const focused = node.querySelector(":scope > .acts [data-act]:focus")?.getAttribute("data-act");
    fillActs(node, item, { known, last });
    if (!focused) return;
    /** @type {HTMLElement | null} */ (node.querySelector(`[data-act="${focused}"]`))?.focus();
  }

  /**
   * @param {HTMLElement} node
   * @param {Item} item
   * @param {{ known: boolean, last: boolean }} where
   */
  function fillActs(node, item, { known, last }) {
    node.querySelector(".acts")?.remove();
    node.querySelector(".unsent")?.remove();
    if (item.trouble && item.role === "user") return node.append(unsent(item));
    if (item.role === "resumed" || item.failed || !item.final || item.text === "") return;
    if (item.waiting) return;
    const row = document.createElement("div");
    row.className = "acts";
    row.role = "group";
    row.ariaLabel = message("turn.actions");
    row.append(button("turn.copy", "copy", () => acts.copy(item.text)));
    if ((known && item.spoken) || item.recorded) {
      row.append(button("turn.replay", "replay", () => acts.replay(item.id)));
    }
    if (known && item.role === "user") {
      row.append(button("turn.edit", "edit", () => rewrite(node, item)));
    }
    if (known && item.role === "assistant" && last) {
      row.append(button("turn.regenerate", "again", () => acts.regenerate(item.id)));
    }
    if (item.stored && acts.branch) {
      row.append(button("versions.branch", "branch", () => acts.branch?.(item.id)));
    }
    if (item.versions.length > 1) row.append(...versionsOf(item));
    if (item.timings) row.append(timingsOf(item.timings));
    node.append(row);
  }

  /** @param {Item} item */
  function versionsOf(item) {
    const at = item.versions.indexOf(messageId(item.id));
    const count = item.versions.length;
    const earlier = button("versions.earlier", "earlier", () => go(at - 1));
    const later = button("versions.later", "later", () => go(at + 1));
    earlier.disabled = at <= 0;
    later.disabled = at >= count - 1;
    const which = span("which", message("versions.of", { number: at + 1, count }));
    /** @param {number} to */
    const go = (to) => acts.choose?.(item.id, item.versions[to] ?? "");
    return [earlier, which, later, button("versions.compare", "compare", () => acts.compare?.(item.id))];
  }

  /** @param {Item} item */
  function unsent(item) {
    const row = document.createElement("div");
    row.className = "unsent";
    const why = document.createElement("p");
    why.textContent = explain(item.trouble);
    const again = plainButton("turn.resend", "button");
    again.addEventListener("click", () => acts.retry?.(item.id));
    const back = plainButton("turn.cancel", "button");
    back.addEventListener("click", () => acts.takeBack?.(item.id));
    row.append(why, again, back);
    return row;
  }

  /**
   * @param {HTMLElement} node
   * @param {Item} item
   */
  function rewrite(node, item) {
    const form = document.createElement("form");
    form.className = "rewrite";
    const box = document.createElement("textarea");
    box.ariaLabel = message("turn.editing");
    box.value = item.text;
    const row = document.createElement("div");
    const back = plainButton("turn.cancel", "button");
    const send = plainButton("turn.resend", "submit");
    send.classList.add("strong");
    row.append(back, send);
    form.append(box, row);
    const body = /** @type {HTMLElement} */ (node.querySelector(".body"));
    body.replaceWith(form);
    const actions = node.querySelector(".acts");
    actions?.toggleAttribute("hidden", true);

    function close() {
      form.replaceWith(body);
      actions?.toggleAttribute("hidden", false);
      /** @type {HTMLElement | null} */ (actions?.querySelector("[data-act=edit]") ?? null)?.focus();
    }
    back.addEventListener("click", close);
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        close();
      } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = box.value.trim();
      close();
      if (text) acts.resend(item.id, text);
    });
    box.focus();
    box.setSelectionRange(box.value.length, box.value.length);
  }

  return {
    show,

    /** The listener has come further. @param {Position} now */
    follow(now) {
      const before = position?.itemId;
      position = now;
      for (const id of new Set([before, now?.itemId])) {
        const at = id === undefined ? undefined : drawn.get(id);
        if (!at) continue;
        const heard = heardOf(at.item);
        if (heard === at.heard && before === now?.itemId) continue;
        at.heard = heard;
        drawText(at.node, at.item, heard);
      }
    },

    /** Open the user's last turn for changing; false if there is none. */
    editLast() {
      const item = shown.findLast(({ role, final }) => role === "user" && final);
      const found = item && drawn.get(item.id)?.node.querySelector("[data-act=edit]");
      if (found instanceof HTMLButtonElement) found.click();
      return found !== null && found !== undefined;
    },

    /** Every word anew: the language of the page has changed. */
    redraw() {
      for (const { node } of drawn.values()) node.remove();
      drawn.clear();
      show(shown, { announce: false });
    },
  };
}

/** @param {Item} item */
function createTurn(item) {
  const node = document.createElement("li");
  node.className = `item ${item.role}`;
  if (item.role !== "resumed") {
    const who = span("who", message(`conversation.${item.role}`));
    const now = item.created ? new Date(item.created) : new Date();
    const time = document.createElement("time");
    time.dateTime = now.toISOString();
    time.textContent = formatTime(now);
    if (item.created) time.title = formatDay(now);
    who.append(time);
    node.append(who);
  }
  return node;
}

/**
 * The element that holds a turn's words, of the kind that is wanted.
 * @param {HTMLElement} node
 * @param {"p" | "div"} kind
 */
function bodyOf(node, kind) {
  const found = node.querySelector(".body");
  if (found instanceof HTMLElement && found.localName === kind) return found;
  const body = document.createElement(kind);
  body.className = kind === "div" ? "body rich" : "body";
  // Right-to-left replies stand on their own side.
  body.dir = "auto";
  if (found) found.replaceWith(body);
  else node.append(body);
  return body;
}
