// @ts-check
/** The listener's choices, kept between visits, and what there is to choose from. */

const STORE = "vivavoce.settings";

/** @typedef {{ voice: string, language: string, speakReplies: boolean }} Settings "" leaves it to the server */
/** @typedef {{ id: string, language: string, name: string, gender: string }} Voice */

/** More languages than that are no help to the server, and it takes no more. */
const MOST_LANGUAGES = 32;

/** @returns {Settings} */
export function loadSettings() {
  const settings = { voice: "", language: "", speakReplies: true };
  try {
    const stored = JSON.parse(localStorage.getItem(STORE) ?? "{}");
    if (typeof stored.voice === "string") settings.voice = stored.voice;
    if (typeof stored.language === "string") settings.language = stored.language;
    if (typeof stored.speakReplies === "boolean") settings.speakReplies = stored.speakReplies;
  } catch {
    // Storage is forbidden, or holds something else: the defaults do.
  }
  return settings;
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
 * @param {Settings} settings
 * @param {{ handsFree: boolean, canPlay: boolean, languages?: readonly string[] }} mode
 */
export function sessionUpdate(
  { voice, language, speakReplies },
  { handsFree, canPlay, languages = [] },
) {
  const likely = languages.length ? { languages: languages.slice(0, MOST_LANGUAGES) } : {};
  return {
    type: "session.update",
    session: {
      type: "realtime",
      output_modalities: speakReplies && canPlay ? ["audio"] : ["text"],
      audio: {
        input: {
          transcription: language ? { language } : likely,
          turn_detection: handsFree ? { type: "semantic_vad" } : null,
        },
        output: voice ? { voice } : {},
      },
    },
  };
}
