// @ts-check
/** Fingers and keys to `press`, `release` and `stop`. */

/** What uses the space bar itself. */
const TAKES_SPACE = "input, textarea, select, button, a, summary, [contenteditable]";

/**
 * The button by pointer and touch, the space bar anywhere outside a field, Enter on the button. A
 * screen reader's click, which cannot be held, presses and at the next click releases. Esc stops.
 * @param {HTMLButtonElement} button
 * @param {{ press: () => void, release: () => void, stop: () => void, byKey?: () => boolean }} actions
 *   `byKey`: whether the space bar talks just now
 */
export function bindTalkControls(button, { press, release, stop, byKey = () => true }) {
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
    // Escape closes a dialog first; it stops the reply when there is none.
    if (event.key === "Escape") return document.querySelector("dialog[open]") ? undefined : void stop();
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
    if (!byKey() || document.querySelector("dialog[open]")) return false;
    const field = event.target instanceof Element && event.target.closest(TAKES_SPACE);
    return event.code === "Space" && !field;
  }
}

/**
 * The message box: Enter sends, Shift+Enter breaks the line, the arrow up in an empty box changes the
 * last message. Sent empty it stops the reply.
 * @param {HTMLFormElement} form
 * @param {HTMLTextAreaElement} box
 * @param {object} actions
 * @param {(text: string) => Promise<boolean>} actions.say false if it could not be sent: then the text stays
 * @param {() => void} actions.stop
 * @param {() => boolean} actions.editLast false if there is nothing to change
 * @param {() => void} actions.typed
 */
export function bindMessageBox(form, box, { say, stop, editLast, typed }) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = box.value.trim();
    if (!text) return stop();
    box.value = "";
    typed();
    if (!(await say(text)) && box.value === "") box.value = text;
    typed();
  });
  box.addEventListener("input", typed);
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowUp" && box.value === "" && editLast()) return event.preventDefault();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (box.value.trim()) form.requestSubmit();
  });
}
