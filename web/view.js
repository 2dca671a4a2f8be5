// @ts-check
/** The document: where the state is shown. Text goes in as text, never as markup. */

import { heardLength } from "./heard.js";
import { languageName, message, messages } from "./messages.js";

/** @typedef {import("./messages.js").MessageKey} MessageKey */
/** @typedef {import("./conversation.js").Item} Item */
/** @typedef {import("./phase.js").Phase} Phase */

/**
 * An element of index.html that must be there.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
function element(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`index.html lacks #${id}`);
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
    empty: element("empty", HTMLElement),
    announcer: element("announcer", HTMLElement),
    form: element("composer", HTMLFormElement),
    box: element("box", HTMLTextAreaElement),
    handsFree: element("hands-free", HTMLInputElement),
    speakReplies: element("speak-replies", HTMLInputElement),
    voice: element("voice", HTMLSelectElement),
    language: element("language", HTMLSelectElement),
    settings: element("settings", HTMLDetailsElement),
    signIn: element("sign-in", HTMLFormElement),
    signInKey: element("sign-in-key", HTMLInputElement),
    signInError: element("sign-in-error", HTMLElement),
    signOut: element("sign-out", HTMLButtonElement),
  };
}

/** @typedef {ReturnType<typeof findElements>} Elements */

/** Where index.html asks for a message, and where it goes. @type {Record<string, string | null>} */
const PLACES = {
  "data-message": null,
  "data-message-label": "aria-label",
  "data-message-placeholder": "placeholder",
};

/** Put the catalogue's words where index.html asks for them. */
export function fillMessages() {
  for (const [place, attribute] of Object.entries(PLACES)) {
    for (const found of document.querySelectorAll(`[${place}]`)) {
      const text = message(/** @type {MessageKey} */ (found.getAttribute(place)));
      if (attribute) found.setAttribute(attribute, text);
      else found.textContent = text;
    }
  }
}

/** @param {Elements} elements */
export function createView(elements) {
  /** @type {Map<string, { item: Item, node: HTMLElement }>} */
  const drawn = new Map();
  /** @type {string | null} */
  let notice = null;
  let fading = 0;
  const meterFill = /** @type {HTMLElement} */ (elements.meter.firstElementChild);

  elements.noticeDismiss.addEventListener("click", () => hideNotice());

  function hideNotice() {
    notice = null;
    elements.notice.hidden = true;
    elements.noticeText.textContent = "";
  }

  return {
    /**
     * @param {{ phase: Phase, handsFree: boolean, held: boolean, canTalk: boolean }} now
     */
    showPhase({ phase, handsFree, held, canTalk }) {
      const { stage, talk } = elements;
      stage.dataset.phase = phase;
      stage.dataset.mode = handsFree ? "free" : "held";
      elements.phase.textContent = message(`phase.${phase}`);
      const mode = handsFree ? "free" : "held";
      const online = phase !== "offline" && phase !== "connecting";
      const hint = canTalk || !online ? hintFor(phase, mode) : "hint.text";
      elements.hint.textContent = message(hint);
      const busy = phase === "thinking" || phase === "speaking";
      const label = !handsFree
        ? held
          ? "talk.release"
          : "talk.hold"
        : busy
          ? "talk.stop"
          : "talk.mute";
      talk.setAttribute("aria-label", message(label));
      talk.setAttribute("aria-pressed", String(held || handsFree));
      talk.setAttribute("aria-disabled", String(!canTalk || !online));
    },

    /** @param {number} level 0 to 1, as the eye should see it */
    showLevel(level) {
      meterFill.style.setProperty("--level", level.toFixed(3));
      elements.meter.setAttribute("aria-valuenow", String(Math.round(level * 100)));
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
      elements.notice.dataset.tone = passing ? "quiet" : "firm";
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

    /**
     * @param {readonly Item[]} items
     * @param {{ announce: boolean }} how announce finished replies to a screen reader: only if they
     *   are not spoken, or two voices would talk at once
     */
    showConversation(items, { announce }) {
      const { log, scroller, empty, announcer } = elements;
      const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 48;
      empty.hidden = items.length > 0;
      const present = new Set(items.map((item) => item.id));
      for (const [id, { node }] of drawn) {
        if (present.has(id)) continue;
        node.remove();
        drawn.delete(id);
      }
      items.forEach((item, index) => {
        const known = drawn.get(item.id);
        const node = known?.node ?? createItem(item);
        if (known?.item !== item) drawItem(node, item);
        if (log.children[index] !== node) log.insertBefore(node, log.children[index] ?? null);
        if (announce && item.role === "assistant" && item.final && known && !known.item.final) {
          announcer.textContent = item.text;
        }
        drawn.set(item.id, { item, node });
      });
      if (atEnd) scroller.scrollTop = scroller.scrollHeight;
    },

    /**
     * @param {import("./settings.js").Settings} settings
     * @param {Awaited<ReturnType<typeof import("./settings.js").fetchChoices>>} choices
     */
    showSettings(settings, { voices, defaultVoice, languages }) {
      elements.speakReplies.checked = settings.speakReplies;
      fillVoices(elements.voice, voices, defaultVoice);
      const names = languages.map((tag) => new Option(languageName(tag), tag));
      names.sort((a, b) => a.text.localeCompare(b.text));
      elements.language.replaceChildren(new Option(message("settings.language.any"), ""), ...names);
      elements.voice.value = settings.voice;
      elements.language.value = settings.language;
      // A choice that no longer exists falls back to the first.
      for (const select of [elements.voice, elements.language]) {
        if (select.selectedIndex < 0) select.selectedIndex = 0;
      }
    },
  };
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
  return /** @type {MessageKey} */ (all.find((key) => key in messages));
}

/**
 * @param {HTMLSelectElement} select
 * @param {import("./settings.js").Voice[]} voices
 * @param {string} defaultVoice
 */
function fillVoices(select, voices, defaultVoice) {
  const groups = new Map();
  for (const voice of voices) {
    const label = languageName(voice.language);
    const group = groups.get(label) ?? document.createElement("optgroup");
    group.label = label;
    group.append(new Option(voice.name, voice.id));
    groups.set(label, group);
  }
  const name = voices.find((voice) => voice.id === defaultVoice)?.name;
  const standard = name
    ? message("settings.voice.named", { name })
    : message("settings.voice.default");
  select.replaceChildren(new Option(standard, ""), ...groups.values());
}

/** @param {Item} item */
function createItem(item) {
  const node = document.createElement("li");
  node.className = `item ${item.role}`;
  if (item.role !== "resumed") {
    const who = document.createElement("span");
    who.className = "who";
    who.textContent = message(`conversation.${item.role}`);
    node.append(who);
  }
  const text = document.createElement("p");
  // Right-to-left replies stand on their own side.
  text.dir = "auto";
  node.append(text);
  return node;
}

/**
 * @param {HTMLElement} node
 * @param {Item} item
 */
function drawItem(node, item) {
  const text = /** @type {HTMLElement} */ (node.lastElementChild);
  node.dataset.pending = String(!item.final);
  text.replaceChildren();
  if (item.role === "resumed") {
    text.textContent = message("conversation.resumed");
  } else if (item.failed) {
    node.dataset.failed = "true";
    text.textContent = message("conversation.unheard");
  } else if (item.text === "") {
    text.textContent = message("conversation.pending");
  } else {
    const timed = item.spoken && !item.played && item.words.length > 0;
    const heard = timed ? heardLength(item.text, item.words, item.playedMs) : item.text.length;
    const rest = item.interrupted ? "" : item.text.slice(heard);
    text.append(item.text.slice(0, heard));
    if (rest) text.append(span("ahead", rest));
    if (item.interrupted) text.append(" ", span("mark", message("conversation.interrupted")));
  }
}

/**
 * @param {string} name
 * @param {string} content
 */
function span(name, content) {
  const node = document.createElement("span");
  node.className = name;
  node.textContent = content;
  return node;
}
