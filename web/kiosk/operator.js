// @ts-check
/** Nobody leaves the kiosk but its operator. */

import { message } from "../messages.js";
import { element } from "../view.js";

const LONG_MS = 3000;
/** The operator has gone without a word. */
const PATIENCE_MS = 30_000;

/** Full screen again at every touch; no menu, no selection, no way back, no key that leads elsewhere. */
export function keepInside() {
  document.addEventListener("pointerup", () => {
    if (!document.fullscreenElement && !document.querySelector("dialog[open]")) {
      document.documentElement.requestFullscreen?.({ navigationUI: "hide" }).catch(() => undefined);
    }
  });
  for (const type of ["contextmenu", "dragstart", "gesturestart"]) {
    document.addEventListener(type, (event) => event.preventDefault());
  }
  document.addEventListener("wheel", (event) => event.ctrlKey && event.preventDefault(), { passive: false });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement && !event.ctrlKey && !event.metaKey && !event.altKey;
    const moves = ["Tab", "Enter", " "].includes(event.key) && !event.ctrlKey && !event.altKey;
    if (!typing && !moves && !(event.key === "Escape" && document.querySelector("dialog[open]"))) {
      event.preventDefault();
    }
  });
  history.pushState(null, "");
  window.addEventListener("popstate", () => history.pushState(null, ""));
}

/**
 * The operator's gesture: the upper corner held for three seconds, or Ctrl+Alt+Shift+E; then the PIN,
 * where one is set.
 * @param {{ locked: boolean }} how
 */
export function bindOperator({ locked }) {
  const dialog = element("operator", HTMLDialogElement);
  const corner = element("corner", HTMLButtonElement);
  const form = element("leave", HTMLFormElement);
  const pin = element("pin", HTMLInputElement);
  const error = element("pin-error", HTMLElement);
  element("pin-field", HTMLElement).hidden = !locked;
  let pressing = 0;
  let waiting = 0;

  function open() {
    pin.value = error.textContent = "";
    if (!dialog.open) dialog.showModal();
    stay();
  }
  function stay() {
    clearTimeout(waiting);
    waiting = window.setTimeout(() => dialog.close(), PATIENCE_MS);
  }

  corner.addEventListener("pointerdown", (event) => {
    corner.setPointerCapture(event.pointerId);
    pressing = window.setTimeout(open, LONG_MS);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    corner.addEventListener(end, () => clearTimeout(pressing));
  }
  // A key's or a screen reader's; with a finger it takes the long press.
  corner.addEventListener("click", (event) => event.detail === 0 && open());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey && event.altKey && event.shiftKey && event.code === "KeyE") open();
    else if (dialog.open) stay();
  });
  element("stay", HTMLButtonElement).addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = JSON.stringify({ pin: pin.value });
    const headers = { "content-type": "application/json" };
    const answer = await fetch("/v1/kiosk/exit", { method: "POST", headers, body }).catch(() => null);
    if (answer?.ok || (!answer && !locked)) {
      if (document.fullscreenElement) await document.exitFullscreen();
      location.assign("/");
    } else {
      error.textContent = message(
        answer?.status === 429 ? "kiosk.wait" : answer ? "kiosk.wrong" : "signIn.unreachable",
      );
      pin.select();
    }
  });
}
