// @ts-check
/** The listener's choices, kept between visits, and what there is to choose from. */

import { WIRE_RATE } from "./protocol.js";

const STORE = "vivavoce.settings";

/**
 * Texts that are "" leave it to the server, the system or the browser.
 * @typedef {object} Settings
 * @property {string} voice
 * @property {string} language the one that is spoken
 * @property {boolean} speakReplies
 * @property {"hold" | "text"} mode the one to begin with; hands-free begins with a gesture
 * @property {string} wakePhrase
 * @property {string} microphone a device's id
 * @property {string} speaker a device's id
 * @property {boolean} echo
 * @property {boolean} noise
 * @property {boolean} gain
 * @property {boolean} headset
 * @property {boolean} compress sound travels as Opus where the browser has it
 * @property {string} theme "light" or "dark"
 * @property {string} contrast "more"
 * @property {string} pageLanguage
 * @property {string} model the one that answers what is written
 * @property {string} prompt what the assistant is told about its manner; "": the server's own
 */

/** @type {Readonly<Settings>} */
export const DEFAULTS = Object.freeze({
  voice: "",
  language: "",
  speakReplies: true,
  mode: "hold",
  wakePhrase: "",
  microphone: "",
  speaker: "",
  echo: true,
  noise: true,
  gain: true,
  headset: false,
  compress: true,
  theme: "",
  contrast: "",
  pageLanguage: "",
  model: "",
  prompt: "",
});

/** What the server keeps, for all browsers of its owner. */
export const SHARED = /** @type {const} */ (["model", "prompt", "theme", "language", "voice"]);

/**
 * The settings as the server writes them. Pure.
 * @param {Settings} settings
 */
export function toServer(settings) {
  const { model, prompt, language, voice, theme } = settings;
  return { model, prompt, language, voice, theme: theme || "system" };
}

/**
 * What the server's settings change here. Pure.
 * @param {Settings} settings changed in place
 * @param {Partial<Record<string, string>>} told what is left out is as by default
 * @returns {(keyof Settings)[]}
 */
export function fromServer(settings, told) {
  /** @type {(keyof Settings)[]} */
  const changed = [];
  for (const name of SHARED) {
    const value = name === "theme" && told[name] === "system" ? "" : (told[name] ?? "");
    if (settings[name] === value) continue;
    settings[name] = value;
    changed.push(name);
  }
  return changed;
}

/** @typedef {{ id: string, language: string, name: string, gender: string }} Voice */

/** More languages than that are no help to the server, and it takes no more. */
const MOST_LANGUAGES = 32;

/** @returns {Settings} */
export function loadSettings() {
  /** @type {Record<string, unknown>} */
  const settings = { ...DEFAULTS };
  try {
    const stored = JSON.parse(localStorage.getItem(STORE) ?? "{}");
    for (const [name, value] of Object.entries(DEFAULTS)) {
      if (typeof stored[name] === typeof value) settings[name] = stored[name];
    }
  } catch {
    // Storage is forbidden, or holds something else: the defaults do.
  }
  return /** @type {Settings} */ (/** @type {unknown} */ (settings));
}

/** @param {Settings} settings */
export function saveSettings(settings) {
  try {
    localStorage.setItem(STORE, JSON.stringify(settings));
  } catch {
    // The choice then lasts as long as the page.
  }
}

/**
 * The server's voices and languages; empty lists where it tells none, so that the page works on.
 * @returns {Promise<{ voices: Voice[], defaultVoice: string, languages: string[] }>}
 */
export async function fetchChoices() {
  const [voices, languages] = await Promise.all([
    fetchJson("/v1/voices"),
    fetchJson("/v1/languages"),
  ]);
  return {
    voices: voices?.voices ?? [],
    defaultVoice: voices?.default ?? "",
    languages: languages?.languages ?? [],
  };
}

/** @param {string} path */
async function fetchJson(path) {
  try {
    const response = await fetch(path);
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

/**
 * The `session.update` for these choices. Where the language is to be detected, the server is told which
 * ones the browser's user reads.
 * @param {Pick<Settings, "voice" | "language" | "speakReplies">} settings
 * @param {object} mode
 * @param {boolean} mode.handsFree
 * @param {boolean} mode.canPlay
 * @param {readonly string[]} [mode.languages]
 * @param {boolean} [mode.asleep] hands-free, and nothing is answered before the wake phrase
 * @param {boolean | null} [mode.compressed] sound travels as Opus, or does not; null: as it did before
 * @param {string} [mode.instructions] "": the server's own
 */
export function sessionUpdate(
  { voice, language, speakReplies },
  { handsFree, canPlay, languages = [], asleep = false, compressed = null, instructions = "" },
) {
  const listening = { type: "semantic_vad", ...(asleep ? { create_response: false } : {}) };
  const format = compressed === null ? {} : { format: { type: compressed ? "audio/opus" : "audio/pcm", rate: WIRE_RATE } };
  const likely = languages.length ? { languages: languages.slice(0, MOST_LANGUAGES) } : {};
  return {
    type: "session.update",
    session: {
      type: "realtime",
      ...(instructions ? { instructions } : {}),
      output_modalities: speakReplies && canPlay ? ["audio"] : ["text"],
      audio: {
        input: {
          ...format,
          transcription: language ? { language } : likely,
          turn_detection: handsFree ? listening : null,
        },
        output: { ...format, ...(voice ? { voice } : {}) },
      },
    },
  };
}
