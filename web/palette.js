// @ts-check
/** The command palette (Ctrl/Cmd-K): a combobox over everything that can be done. Loaded when wanted. */

import { message } from "./messages.js";
import { rank } from "./search.js";

/** @typedef {{ name: string, keys?: string, run: () => void }} Command */

/**
 * @param {HTMLDialogElement} dialog
 * @param {Command[]} commands
 */
export function openPalette(dialog, commands) {
  const box = document.createElement("input");
  box.type = "text";
  box.placeholder = message("palette.placeholder");
  box.role = "combobox";
  box.ariaLabel = message("palette.label");
  box.ariaExpanded = "true";
  box.autocomplete = "off";
  box.setAttribute("aria-controls", "commands");
  const list = document.createElement("ul");
  list.id = "commands";
  list.role = "listbox";
  list.ariaLabel = message("palette.label");
  const none = document.createElement("p");
  none.textContent = message("palette.none");
  const count = document.createElement("p");
  count.className = "unseen";
  count.role = "status";
  dialog.replaceChildren(box, list, none, count);

  /** @type {Command[]} */
  let found = [];
  let chosen = 0;

  function search() {
    found = rank(commands, box.value);
    list.replaceChildren(...found.map(show));
    list.hidden = found.length === 0;
    none.hidden = found.length > 0;
    count.textContent = message("palette.count", { count: found.length });
    choose(0);
  }

  /**
   * @param {Command} command
   * @param {number} index
   */
  function show(command, index) {
    const option = document.createElement("li");
    option.role = "option";
    option.id = `command-${index}`;
    option.append(command.name);
    if (command.keys) {
      const keys = document.createElement("kbd");
      keys.textContent = command.keys;
      option.append(keys);
    }
    option.addEventListener("pointermove", () => choose(index));
    option.addEventListener("click", () => run(command));
    return option;
  }

  /** @param {number} index */
  function choose(index) {
    chosen = index;
    [...list.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
    if (found.length > 0) box.setAttribute("aria-activedescendant", `command-${index}`);
    else box.removeAttribute("aria-activedescendant");
    list.children[index]?.scrollIntoView({ block: "nearest" });
  }

  /** @param {Command | undefined} command */
  function run(command) {
    if (!command) return;
    dialog.close();
    command.run();
  }

  box.addEventListener("input", search);
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") choose((chosen + 1) % Math.max(1, found.length));
    else if (event.key === "ArrowUp") choose((chosen + found.length - 1) % Math.max(1, found.length));
    else if (event.key === "Enter" && !event.isComposing) run(found[chosen]);
    else return;
    event.preventDefault();
  });
  dialog.onpointerdown = (event) => event.target === dialog && dialog.close();
  search();
  dialog.showModal();
  box.focus();
}
