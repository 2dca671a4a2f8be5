// @ts-check
/** The sidebar's list: conversations by day, each with what can be done with it. */

import { icon } from "./icons.js";
import { address } from "./library-address.js";
import { group, heading } from "./library-days.js";
import { message, pageLanguage } from "./messages.js";

/** @typedef {import("./library-api.js").Stored} Stored */
/** @typedef {import("./messages.js").MessageKey} MessageKey */

const SKELETONS = 7;

/**
 * @typedef {object} Acts
 * @property {(id: string) => void} open
 * @property {(id: string, patch: Partial<Stored>) => void} change
 * @property {(of: Stored) => void} remove
 * @property {(of: Stored) => void} exportOne
 * @property {(tag: string) => void} filter
 */

/**
 * @param {HTMLElement} list
 * @param {Acts} acts
 */
export function createList(list, acts) {
  /** The one whose actions are shown. */
  let unfolded = "";

  /** While the first of them are loaded. */
  function showSkeletons() {
    list.ariaBusy = "true";
    list.replaceChildren(
      ...Array.from({ length: SKELETONS }, () => {
        const node = document.createElement("div");
        node.className = "skeleton";
        node.ariaHidden = "true";
        return node;
      }),
    );
  }

  /**
   * @param {readonly Stored[]} conversations
   * @param {string | null} current
   */
  function show(conversations, current) {
    list.ariaBusy = null;
    // What is being typed in the list stays.
    if (list.querySelector("form")) return;
    const focused = document.activeElement?.closest("[data-part]");
    const where = focused && list.contains(focused) ? focused.getAttribute("data-part") : null;
    const now = new Date();
    const groups = group(conversations, now).map((each) => {
      const section = document.createElement("section");
      const title = document.createElement("h2");
      title.textContent = each.kind === "pinned" ? message("library.pinned") : heading(each, now, pageLanguage());
      const rows = document.createElement("ul");
      rows.append(...each.conversations.map((one) => row(one, one.id === current)));
      section.append(title, rows);
      return section;
    });
    if (groups.length === 0) {
      const none = document.createElement("p");
      none.textContent = message("library.empty");
      list.replaceChildren(none);
    } else list.replaceChildren(...groups);
    if (where) /** @type {HTMLElement | null} */ (list.querySelector(`[data-part="${CSS.escape(where)}"]`))?.focus();
  }

  /** @param {Stored} of @param {boolean} current */
  function row(of, current) {
    const node = document.createElement("li");
    node.dataset["id"] = of.id;
    const link = document.createElement("a");
    link.href = address(of.id);
    link.dataset["part"] = `link ${of.id}`;
    if (current) link.ariaCurrent = "page";
    const title = document.createElement("span");
    title.dir = "auto";
    title.textContent = titleOf(of);
    link.append(title);
    if (of.draft && !current) link.append(small(message("library.draft")));
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      acts.open(of.id);
    });
    const more = document.createElement("button");
    more.type = "button";
    more.className = "icon";
    more.dataset["part"] = `more ${of.id}`;
    more.ariaLabel = message("library.acts", { title: titleOf(of) });
    more.ariaExpanded = String(unfolded === of.id);
    more.append(icon("more"));
    more.addEventListener("click", () => {
      const open = unfolded === of.id;
      list.querySelector(".deeds")?.remove();
      list.querySelector('[aria-expanded="true"]')?.setAttribute("aria-expanded", "false");
      unfolded = open ? "" : of.id;
      more.ariaExpanded = String(!open);
      if (!open) node.append(deeds(node, of));
    });
    node.append(link, more);
    if (of.tags.length) node.append(tagsOf(of));
    if (unfolded === of.id) node.append(deeds(node, of));
    node.addEventListener("keydown", (event) => {
      if (event.target !== link) return;
      if (event.key === "F2") rename(node, of);
      else if (event.key === "Delete") acts.remove(of);
      else return;
      event.preventDefault();
    });
    return node;
  }

  /** @param {Stored} of */
  function tagsOf(of) {
    const tags = document.createElement("p");
    tags.className = "tags";
    for (const tag of of.tags) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = tag;
      button.title = message("library.tagged", { tag });
      button.addEventListener("click", () => acts.filter(tag));
      tags.append(button);
    }
    return tags;
  }

  /** @param {HTMLElement} node @param {Stored} of */
  function deeds(node, of) {
    const group = document.createElement("div");
    group.className = "deeds";
    group.role = "group";
    group.ariaLabel = message("library.acts", { title: titleOf(of) });
    /** @param {MessageKey} key @param {() => void} run */
    const add = (key, run) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset["part"] = `${key} ${of.id}`;
      button.textContent = message(key);
      button.addEventListener("click", run);
      group.append(button);
    };
    add("library.rename", () => rename(node, of));
    add(of.pinned ? "library.unpin" : "library.pin", () => acts.change(of.id, { pinned: !of.pinned }));
    add("library.tags", () => tag(node, of));
    add(of.archived ? "library.unput" : "library.put", () => acts.change(of.id, { archived: !of.archived }));
    add("transfer.export", () => acts.exportOne(of));
    add("library.delete", () => acts.remove(of));
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      /** @type {HTMLElement} */ (node.querySelector("[aria-expanded]")).click();
      /** @type {HTMLElement} */ (node.querySelector("[aria-expanded]")).focus();
    });
    return group;
  }

  /** @param {HTMLElement} node @param {Stored} of */
  function rename(node, of) {
    write(node, message("library.rename"), titleOf(of), (title) => title && acts.change(of.id, { title }));
  }

  /** @param {HTMLElement} node @param {Stored} of */
  function tag(node, of) {
    write(node, message("library.tags.hint"), of.tags.join(", "), (text) => {
      const tags = text.split(/[,،、]/).map((each) => each.trim()).filter(Boolean);
      acts.change(of.id, { tags: [...new Set(tags)] });
    });
  }

  /**
   * A line to write in, where the title stands. Enter and leaving it keep what is written, Escape does not.
   * @param {HTMLElement} node
   * @param {string} label
   * @param {string} value
   * @param {(value: string) => void} keep
   */
  function write(node, label, value, keep) {
    const form = document.createElement("form");
    const box = document.createElement("input");
    box.type = "text";
    box.maxLength = 200;
    box.ariaLabel = box.placeholder = label;
    box.value = value;
    form.append(box);
    const link = /** @type {HTMLElement} */ (node.querySelector("a"));
    link.replaceWith(form);
    let open = true;
    /** @param {boolean} well */
    function close(well) {
      if (!open) return;
      open = false;
      const text = box.value.trim();
      form.replaceWith(link);
      link.focus();
      if (well && text !== value) keep(text);
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      close(true);
    });
    box.addEventListener("blur", () => close(true));
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      close(false);
    });
    box.focus();
    box.select();
  }

  /** They cannot be loaded. @param {() => void} retry */
  function showFailure(retry) {
    const why = document.createElement("p");
    why.textContent = message("library.failed");
    const again = document.createElement("button");
    again.type = "button";
    again.className = "plain";
    again.textContent = message("library.again");
    again.addEventListener("click", retry);
    list.replaceChildren(why, again);
    list.ariaBusy = null;
  }

  return { show, showSkeletons, showFailure };
}

/** @param {Stored} of */
export function titleOf(of) {
  return of.title_source === "temporary" ? message("library.untitled") : of.title;
}

/** @param {string} text */
function small(text) {
  const node = document.createElement("small");
  node.textContent = text;
  return node;
}
