// @ts-check
/** The document around the turns: phase, levels, notices. Text goes in as text, never as markup. */

import { hasMessage, message } from "./messages.js";

/** @typedef {import("./messages.js").MessageKey} MessageKey */
/** @typedef {import("./phase.js").Phase} Phase */
/** @typedef {"hold" | "free" | "text"} Mode */

/**
 * An element of the page that must be there.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function element(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`the page lacks #${id}`);
  return found;
}

/** The elements others bind to. */
export function findElements() {
  return {
    stage: element("stage", HTMLElement),
    talk: element("talk", HTMLButtonElement),
    aura: element("aura", HTMLCanvasElement),
    meter: element("meter", HTMLElement),
    phase: element("phase", HTMLElement),
    hint: element("hint", HTMLElement),
    notice: element("notice", HTMLElement),
    noticeText: element("notice-text", HTMLElement),
    noticeDismiss: element("notice-dismiss", HTMLButtonElement),
    log: element("log", HTMLElement),
    scroller: element("scroller", HTMLElement),
    emptyHint: element("empty-hint", HTMLElement),
    empty: element("empty", HTMLElement),
    announcer: element("announcer", HTMLElement),
    form: element("composer", HTMLFormElement),
    box: element("box", HTMLTextAreaElement),
    send: element("send", HTMLButtonElement),
    modes: element("modes", HTMLFieldSetElement),
    speakReplies: element("speak-replies", HTMLInputElement),
    settings: element("settings", HTMLDialogElement),
    choices: element("choices", HTMLElement),
    levelMicrophone: element("level-microphone", HTMLElement),
    levelSpeaker: element("level-speaker", HTMLElement),
    openSettings: element("open-settings", HTMLButtonElement),
    palette: element("palette", HTMLDialogElement),
    openPalette: element("open-palette", HTMLButtonElement),
    clear: element("clear", HTMLButtonElement),
    library: element("library", HTMLElement),
    openLibrary: element("open-library", HTMLButtonElement),
    attach: element("attach", HTMLButtonElement),
    chips: element("chips", HTMLElement),
    signIn: element("sign-in", HTMLFormElement),
    signInKey: element("sign-in-key", HTMLInputElement),
    signInError: element("sign-in-error", HTMLElement),
    signOut: element("sign-out", HTMLButtonElement),
  };
}

/** @typedef {ReturnType<typeof findElements>} Elements */

/** Where the page asks for a message, and where it goes. @type {Record<string, string | null>} */
const PLACES = {
  "data-message": null,
  "data-message-label": "aria-label",
  "data-message-title": "title",
  "data-message-placeholder": "placeholder",
};

/**
 * Put the catalogue's words where the page asks for them. Those the server has put there stay.
 * @param {ParentNode} part of the page; in all of it, what says how things stand is as at the beginning
 */
export function fillMessages(part = document) {
  for (const [place, attribute] of Object.entries(PLACES)) {
    for (const found of part.querySelectorAll(`[${place}]`)) {
      const text = message(/** @type {MessageKey} */ (found.getAttribute(place)));
      if (!attribute && found.textContent !== text) found.textContent = text;
      else if (attribute && found.getAttribute(attribute) !== text) found.setAttribute(attribute, text);
    }
  }
}

/**
 * @param {Pick<Elements, "stage" | "talk" | "meter" | "phase" | "hint" | "notice" | "noticeText" | "noticeDismiss">} elements
 */
export function createView(elements) {
  /** @type {string | null} */
  let notice = null;
  let fading = 0;

  elements.noticeDismiss.addEventListener("click", () => hideNotice());

  function hideNotice() {
    notice = null;
    elements.notice.hidden = true;
    elements.noticeText.textContent = "";
  }

  return {
    /**
     * @param {{ phase: Phase, mode: Mode, held: boolean, busy: boolean, canTalk: boolean, phrase: string }} now
     */
    showPhase({ phase, mode, held, busy, canTalk, phrase }) {
      const { stage, talk } = elements;
      const online = phase !== "offline" && phase !== "connecting";
      const free = mode === "free";
      document.body.dataset["mode"] = mode;
      stage.dataset["phase"] = phase;
      stage.dataset["mode"] = free ? "free" : "held";
      elements.phase.textContent = message(`phase.${phase}`, { phrase });
      const hint = canTalk || !online ? hintFor(phase, free ? "free" : "held") : "hint.text";
      elements.hint.textContent = message(hint, { phrase });
      talk.setAttribute("aria-label", message(labelFor(phase, free, held, busy)));
      talk.setAttribute("aria-pressed", String(held || (free && phase !== "muted")));
      talk.setAttribute("aria-disabled", String(!canTalk || !online));
    },

    /** @param {number} level 0 to 1, as the eye should see it */
    showLevel(level) {
      fillMeter(elements.meter, level);
    },

    /**
     * A message that stays until it is dismissed or `settled`; a passing one goes by itself.
     * @param {MessageKey} key
     * @param {{ passing?: boolean, values?: Record<string, string> }} [how]
     */
    notify(key, { passing = false, values } = {}) {
      clearTimeout(fading);
      const text = message(key, values);
      notice = key;
      elements.notice.hidden = false;
      elements.notice.dataset["tone"] = passing ? "quiet" : "firm";
      // Said again only when it is new: a reader must not repeat every attempt to reconnect.
      if (elements.noticeText.textContent !== text) elements.noticeText.textContent = text;
      if (passing) fading = window.setTimeout(hideNotice, 4000);
    },

    /**
     * The trouble is over: take away its message, if it is the one shown.
     * @param {...MessageKey} keys
     */
    settle(...keys) {
      if (keys.some((key) => key === notice)) hideNotice();
    },
  };
}

/**
 * @param {HTMLElement} meter
 * @param {number} level 0 to 1
 */
export function fillMeter(meter, level) {
  const fill = /** @type {HTMLElement} */ (meter.firstElementChild);
  fill.style.setProperty("--level", level.toFixed(3));
  meter.setAttribute("aria-valuenow", String(Math.round(level * 100)));
}

/** What the eye sees of a level: -55 dB is nothing, -5 dB and louder all. @param {number} rms */
export function visible(rms) {
  return rms > 0 ? Math.max(0, Math.min(1, (20 * Math.log10(rms) + 55) / 50)) : 0;
}

/**
 * @param {Phase} phase
 * @param {boolean} free
 * @param {boolean} held
 * @param {boolean} busy
 * @returns {MessageKey}
 */
function labelFor(phase, free, held, busy) {
  if (!free) return held ? "talk.release" : "talk.hold";
  if (busy) return "talk.stop";
  return phase === "muted" ? "talk.unmute" : "talk.mute";
}

/** Without a keyboard, hints name no keys. */
const touch = window.matchMedia("(hover: none)");

/**
 * The closest hint there is for what goes on.
 * @param {Phase} phase
 * @param {"free" | "held"} mode
 */
function hintFor(phase, mode) {
  const keys = [`hint.${phase}.${mode}`, `hint.${phase}`];
  const all = touch.matches ? keys.flatMap((key) => [`${key}.touch`, key]) : keys;
  return /** @type {MessageKey} */ (all.find(hasMessage));
}
