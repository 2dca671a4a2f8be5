// @ts-check
/** Fingers and keys to `press`, `release` and `stop`. */

/** What uses the space bar itself. */
const TAKES_SPACE = "input, textarea, select, button, a, summary, [contenteditable]";

/**
 * The button by pointer and touch, the space bar anywhere outside a field, Enter on the button. A
 * screen reader's click, which cannot be held, presses and at the next click releases. Esc stops.
 * @param {HTMLButtonElement} button
 * @param {{ press: () => void, release: () => void, stop: () => void }} actions
 */
export function bindTalkControls(button, { press, release, stop }) {
  /** @type {"pointer" | "key" | "click" | null} */
  let holding = null;

  /** @param {"pointer" | "key" | "click"} by */
  function hold(by) {
    if (holding) return;
    holding = by;
    press();
  }

  function letGo() {
    if (!holding) return;
    holding = null;
    release();
  }

  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    hold("pointer");
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    button.addEventListener(end, () => holding === "pointer" && letGo());
  }
  // A long touch must not open a menu.
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  button.addEventListener("click", (event) => {
    if (event.detail !== 0) return; // a pointer's, already seen
    if (holding === "click") letGo();
    else hold("click");
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return void stop();
    if (!holds(event)) return;
    event.preventDefault();
    if (!event.repeat) hold("key");
  });
  document.addEventListener("keyup", (event) => {
    if (!holds(event)) return;
    event.preventDefault(); // or the browser makes a click of it
    if (holding === "key") letGo();
  });
  // Keys and fingers let go elsewhere are never reported.
  window.addEventListener("blur", letGo);
  document.addEventListener("visibilitychange", () => document.hidden && letGo());

  /** @param {KeyboardEvent} event */
  function holds(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return false;
    if (event.target === button) return event.code === "Space" || event.code === "Enter";
    const field = event.target instanceof Element && event.target.closest(TAKES_SPACE);
    return event.code === "Space" && !field;
  }
}

/**
 * Where the settings lie over the page, a touch beside them or Esc puts them away.
 * @param {HTMLDetailsElement} settings
 */
export function bindSettings(settings) {
  const overlaid = () => settings.open && getComputedStyle(settings).position === "relative";
  document.addEventListener("pointerdown", ({ target }) => {
    if (overlaid() && !settings.contains(/** @type {Node} */ (target))) settings.open = false;
  });
  settings.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !overlaid()) return;
    event.stopPropagation();
    settings.open = false;
    settings.querySelector("summary")?.focus();
  });
}

/**
 * The message box: Enter sends, Shift+Enter breaks the line.
 * @param {HTMLFormElement} form
 * @param {HTMLTextAreaElement} box
 * @param {(text: string) => Promise<boolean>} say false if it could not be sent: then the text stays
 */
export function bindMessageBox(form, box, say) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = box.value.trim();
    if (!text) return;
    box.value = "";
    if (!(await say(text)) && box.value === "") box.value = text;
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
}
