// @ts-check
/** Files that will go with the next message: by button, drop or paste, uploaded at once. */

import { ApiError, ask, newId, upload } from "./library-api.js";
import { icon } from "./icons.js";
import { explain, message } from "./messages.js";

const ACCEPTED = "image/png,image/jpeg,image/webp,image/gif,application/pdf,text/*,.md,.csv,.json,.log";

/** @typedef {import("./library-api.js").File} Stored */
/** @typedef {{ node: HTMLElement, stored: Stored | null, stop: AbortController }} Staged */

/**
 * @param {object} ports
 * @param {HTMLButtonElement} ports.attach
 * @param {HTMLElement} ports.chips
 * @param {HTMLTextAreaElement} ports.box
 * @param {() => boolean} ports.allowed
 * @param {() => void} ports.changed
 */
export function createFiles({ attach, chips, box, allowed, changed }) {
  /** @type {Staged[]} */
  let staged = [];
  const picker = document.createElement("input");
  picker.type = "file";
  picker.multiple = true;
  picker.accept = ACCEPTED;
  attach.addEventListener("click", () => picker.click());
  picker.addEventListener("change", () => {
    for (const file of picker.files ?? []) void add(file);
    picker.value = "";
  });

  box.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0 || !allowed()) return;
    event.preventDefault();
    for (const file of files) void add(file);
  });
  const main = /** @type {HTMLElement} */ (document.querySelector("main"));
  main.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files") || !allowed()) return;
    event.preventDefault();
    main.dataset["drop"] = message("attach.drop");
  });
  for (const end of ["dragleave", "drop"]) main.addEventListener(end, () => delete main.dataset["drop"]);
  main.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.files.length || !allowed()) return;
    event.preventDefault();
    for (const file of event.dataTransfer.files) void add(file);
  });

  /** @param {File} file */
  async function add(file) {
    const stop = new AbortController();
    const { node, bar, status } = draw(file.name, () => remove(one));
    /** @type {Staged} */
    const one = { node, stored: null, stop };
    staged.push(one);
    chips.append(node);
    show();
    try {
      const path = `/attachments?name=${encodeURIComponent(file.name || "file")}&id=${newId("att")}`;
      const progress = (/** @type {number} */ share) => (bar.value = share);
      one.stored = await upload(path, file, { progress, signal: stop.signal });
      bar.remove();
    } catch (error) {
      if (error instanceof ApiError && error.code === "aborted") return;
      bar.remove();
      node.dataset["failed"] = "true";
      status.textContent = error instanceof ApiError ? explain(error.code, error.message) : String(error);
    }
    changed();
  }

  /** @param {Staged} one */
  function remove(one) {
    one.stop.abort();
    if (one.stored) ask("DELETE", `/attachments/${one.stored.id}`).catch(() => undefined);
    staged = staged.filter((other) => other !== one);
    one.node.remove();
    show();
    box.focus();
  }

  function show() {
    chips.hidden = staged.length === 0;
    changed();
  }

  return {
    /** Something is still on its way up. */
    get waiting() {
      return staged.some(({ stored, node }) => !stored && !node.dataset["failed"]);
    },
    get any() {
      return staged.some(({ stored }) => stored);
    },

    /** Those that are there go with a message: they are no longer here. @returns {Stored[]} */
    take() {
      const files = staged.flatMap(({ stored }) => (stored ? [stored] : []));
      for (const { node, stop } of staged) {
        stop.abort();
        node.remove();
      }
      staged = [];
      show();
      return files;
    },

    /** They come back: the message was not sent. @param {readonly Stored[]} files */
    restore(files) {
      for (const stored of files) {
        const { node, bar } = draw(stored.name, () => remove(one));
        /** @type {Staged} */
        const one = { node, stored, stop: new AbortController() };
        bar.remove();
        staged.push(one);
        chips.append(node);
      }
      show();
    },
  };
}

/** @param {string} name @param {() => void} remove */
function draw(name, remove) {
  const node = document.createElement("li");
  const label = document.createElement("span");
  label.textContent = name;
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.value = 0;
  bar.ariaLabel = name;
  const status = document.createElement("small");
  status.role = "alert";
  const button = document.createElement("button");
  button.type = "button";
  button.ariaLabel = button.title = message("attach.remove", { name });
  button.append(icon("cross"));
  button.addEventListener("click", remove);
  node.append(label, bar, status, button);
  return { node, bar, status };
}
