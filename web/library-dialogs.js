// @ts-check
/** Dialogs of the library: versions side by side; export and import. Loaded when wanted. */

import { icon } from "./icons.js";
import { ApiError, ask, finish, newId, upload } from "./library-api.js";
import { explain, formatDay, formatTime, message } from "./messages.js";

/** @typedef {import("./messages.js").MessageKey} MessageKey */

/** @param {MessageKey} title @param {string} kind */
function openDialog(title, kind) {
  const dialog = document.createElement("dialog");
  dialog.className = `window ${kind}`;
  const head = document.createElement("div");
  head.className = "head";
  const heading = document.createElement("h2");
  heading.id = "window-title";
  heading.textContent = message(title);
  const close = document.createElement("button");
  close.type = "button";
  close.className = "icon";
  close.ariaLabel = message("settings.close");
  close.append(icon("cross"));
  close.addEventListener("click", () => dialog.close());
  head.append(heading, close);
  dialog.setAttribute("aria-labelledby", heading.id);
  dialog.append(head);
  dialog.addEventListener("pointerdown", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * @param {readonly import("./library-api.js").Message[]} versions
 * @param {string} current
 * @param {(id: string) => void} choose
 */
export function compareVersions(versions, current, choose) {
  const dialog = openDialog("versions.compare", "compare");
  const list = document.createElement("ol");
  versions.forEach((version, index) => {
    const line = document.createElement("li");
    const when = new Date(version.created_at);
    const title = document.createElement("h3");
    const number = message("versions.of", { number: index + 1, count: versions.length });
    title.textContent = `${number} · ${formatDay(when)}, ${formatTime(when)}`;
    const text = document.createElement("p");
    text.dir = "auto";
    text.tabIndex = 0;
    text.textContent = version.text;
    const use = button("versions.use");
    use.disabled = version.id === current;
    use.addEventListener("click", () => {
      dialog.close();
      choose(version.id);
    });
    line.append(title, text, use);
    list.append(line);
  });
  dialog.append(list);
}

/**
 * @param {{ id: string, title: string } | null} one the conversation that can be exported alone
 */
export function transfer(one) {
  const dialog = openDialog("transfer.label", "transfer");
  const status = document.createElement("p");
  status.role = "status";
  const bar = document.createElement("progress");
  bar.hidden = true;
  bar.ariaLabel = message("transfer.running");

  /** @param {(progress: (share: number) => void) => Promise<Node | string>} work */
  async function run(work) {
    const buttons = dialog.querySelectorAll("section button");
    buttons.forEach((each) => each.toggleAttribute("disabled", true));
    bar.hidden = false;
    bar.removeAttribute("value");
    status.textContent = message("transfer.running");
    try {
      const done = await work((share) => (share < 1 ? (bar.value = share) : bar.removeAttribute("value")));
      status.replaceChildren(done);
      status.querySelector("a")?.focus();
    } catch (error) {
      status.textContent = error instanceof ApiError ? explain(error.code, error.message) : String(error);
    } finally {
      bar.hidden = true;
      buttons.forEach((each) => each.toggleAttribute("disabled", false));
    }
  }

  const out = section("transfer.export");
  const what = choice("transfer.what", [
    ...(one ? [new Option(one.title, one.id)] : []),
    new Option(message("transfer.all"), ""),
  ]);
  const format = choice("transfer.format", [
    new Option("JSON", "json"),
    new Option("Markdown", "markdown"),
    new Option("PDF", "pdf"),
    new Option(message("transfer.zip"), "zip"),
  ]);
  const start = button("transfer.start");
  start.addEventListener("click", () =>
    run(async () => {
      const wanted = { format: format.select.value, conversation: what.select.value || null };
      const job = await ask("POST", "/exports", wanted, { "idempotency-key": newId("job") });
      const done = await finish(job);
      const link = document.createElement("a");
      const name = String(done.result?.name ?? "vivavoce");
      link.href = done.download ?? "";
      link.download = name;
      link.textContent = message("transfer.download", { name });
      return link;
    }),
  );
  out.append(what.label, format.label, start);

  const into = section("transfer.import");
  const hint = document.createElement("p");
  hint.className = "note";
  hint.textContent = message("transfer.import.hint");
  const picker = document.createElement("input");
  picker.type = "file";
  picker.accept = ".json,.zip,application/json,application/zip";
  picker.hidden = true;
  const pick = button("transfer.choose");
  pick.addEventListener("click", () => picker.click());
  picker.addEventListener("change", () => {
    const file = picker.files?.[0];
    picker.value = "";
    if (!file) return;
    void run(async (progress) => {
      const done = await finish(await upload("/imports", file, { progress }));
      return message("transfer.done", { count: Number(done.result?.conversations ?? 0) });
    });
  });
  into.append(hint, pick, picker);
  dialog.append(out, into, bar, status);
}

/** @param {MessageKey} title */
function section(title) {
  const node = document.createElement("section");
  const heading = document.createElement("h3");
  heading.textContent = message(title);
  node.append(heading);
  return node;
}

/** @param {MessageKey} title @param {HTMLOptionElement[]} options */
function choice(title, options) {
  const label = document.createElement("label");
  label.className = "field";
  const name = document.createElement("span");
  name.textContent = message(title);
  const select = document.createElement("select");
  select.append(...options);
  label.append(name, select);
  return { label, select };
}

/** @param {MessageKey} key */
function button(key) {
  const node = document.createElement("button");
  node.type = "button";
  node.className = "plain";
  node.textContent = message(key);
  return node;
}
