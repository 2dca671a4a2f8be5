// @ts-check
/** The sidebar as such: what stands in it, how it comes and goes, and its short messages. */

import { icon } from "./icons.js";
import { message } from "./messages.js";
import { fillMessages } from "./view.js";

/** @typedef {import("./messages.js").MessageKey} MessageKey */

const UNDO_MS = 15_000;
const OPEN_STORE = "vivavoce.library";
/** It stands beside the conversation from this width on; below it lies over it. */
const wide = window.matchMedia("(min-width: 56rem)");

/**
 * @param {HTMLElement} side
 * @param {HTMLButtonElement} toggle
 */
export function createSide(side, toggle) {
  const parts = build(side);

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let fading;
  /** @param {string} text @param {() => void} [undo] */
  function toast(text, undo) {
    clearTimeout(fading);
    const words = document.createElement("p");
    words.textContent = text;
    parts.toast.replaceChildren(words);
    if (undo) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "plain";
      button.textContent = message("library.undo");
      button.addEventListener("click", () => {
        parts.toast.replaceChildren();
        undo();
      });
      parts.toast.append(button);
    }
    fading = setTimeout(() => parts.toast.replaceChildren(), UNDO_MS);
  }

  /** @param {boolean} open @param {boolean} [byHand] */
  function setOpen(open, byHand = true) {
    side.hidden = !open;
    toggle.ariaExpanded = String(open);
    document.body.toggleAttribute("data-library", open);
    const over = open && !wide.matches;
    for (const other of document.querySelectorAll("main, .tools")) /** @type {HTMLElement} */ (other).inert = over;
    if (!byHand) return;
    if (wide.matches) remember(open);
    if (open) parts.search.focus();
    else toggle.focus();
  }
  const closeDrawer = () => !wide.matches && !side.hidden && setOpen(false);
  toggle.hidden = false;
  toggle.addEventListener("click", () => setOpen(side.hidden));
  side.addEventListener("keydown", (event) => event.key === "Escape" && closeDrawer());
  document.addEventListener("pointerdown", ({ target }) => {
    const inside = target instanceof Element && target.closest("#library, #open-library, dialog");
    if (!inside) closeDrawer();
  });
  wide.addEventListener("change", () => setOpen(wide.matches && wasOpen(), false));
  setOpen(wide.matches && wasOpen(), false);

  return { ...parts, toast, setOpen, closeDrawer, relabel: () => fillMessages(side) };
}

/** @param {boolean} open */
function remember(open) {
  try {
    localStorage.setItem(OPEN_STORE, open ? "open" : "closed");
  } catch {
    // It is open again next time.
  }
}

function wasOpen() {
  try {
    return localStorage.getItem(OPEN_STORE) !== "closed";
  } catch {
    return true;
  }
}

/** @param {HTMLElement} side */
function build(side) {
  /** @param {string} name @param {Record<string, string>} attributes @param {...Node} inside */
  const make = (name, attributes, ...inside) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...inside);
    return node;
  };
  /** @param {string} id @param {MessageKey} key @param {import("./icons.js").IconName} [drawing] */
  const button = (id, key, drawing) => {
    /** @type {Record<string, string>} */
    const label = drawing ? { "data-message-label": key, "data-message-title": key } : { "data-message": key };
    const node = make("button", { id, type: "button", class: drawing ? "icon" : "plain", ...label });
    if (drawing) node.append(icon(drawing));
    return /** @type {HTMLButtonElement} */ (node);
  };
  /** @param {MessageKey} key */
  const day = (key) => {
    const input = /** @type {HTMLInputElement} */ (make("input", { type: "date" }));
    return { input, label: make("label", { class: "field" }, make("span", { "data-message": key }), input) };
  };
  const search = /** @type {HTMLInputElement} */ (
    make("input", {
      type: "search",
      id: "library-search",
      autocomplete: "off",
      maxlength: "200",
      "data-message-label": "search.label",
      "data-message-placeholder": "search.label",
    })
  );
  const since = day("search.since");
  const until = day("search.until");
  const dates = make("div", { class: "dates", hidden: "" }, since.label, until.label);
  const fresh = button("library-fresh", "conversation.clear", "plus");
  const hidden = button("library-private", "library.private", "mask");
  const filter = make("button", { type: "button", class: "filter", hidden: "" });
  const status = make("p", { class: "found-count", role: "status" });
  const list = make("div", { class: "list", id: "library-list", tabindex: "-1" });
  const toast = make("div", { class: "toast", role: "status" });
  const archive = button("library-archive", "library.archive");
  const transfer = button("library-transfer", "transfer.label");
  archive.ariaPressed = "false";
  side.replaceChildren(
    make("div", { class: "top" }, search, fresh, hidden),
    dates,
    status,
    filter,
    list,
    toast,
    make("div", { class: "bottom" }, archive, transfer),
  );
  fillMessages(side);
  return { search, since: since.input, until: until.input, dates, fresh, hidden, filter, status, list, toast, archive, transfer };
}
