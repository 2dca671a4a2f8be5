// @ts-check
/** The settings: what there is to choose from, and what was chosen. */

import { LANGUAGES, languageName, message, pickLanguage } from "./messages.js";

/** @typedef {import("./settings.js").Settings} Settings */
/** @typedef {Awaited<ReturnType<typeof import("./settings.js").fetchChoices>>} Choices */
/** @typedef {{ name: string, tier: string, default: boolean }[]} Models */

/**
 * @param {Pick<import("./view.js").Elements, "settings" | "choices" | "openSettings" | "speakReplies">} elements
 * @param {Settings} settings changed in place
 * @param {object} ports
 * @param {(changed: keyof Settings) => void} ports.changed
 * @param {() => Promise<[Choices, Models]>} ports.ask what the server offers; nothing where it tells nothing
 */
export function bindPreferences({ settings: sheet, choices, openSettings, speakReplies }, settings, { changed, ask }) {
  /** @param {string} name */
  const field = (name) =>
    /** @type {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} */ (
      choices.querySelector(`[data-setting="${name}"]`)
    );
  const contrast = /** @type {HTMLInputElement} */ (choices.querySelector("#contrast"));
  const values = /** @type {Record<string, string | boolean>} */ (/** @type {unknown} */ (settings));
  /** @type {Choices} */
  let known = { voices: [], defaultVoice: "", languages: [] };
  /** @type {Models} */
  let models = [];

  openSettings.addEventListener("click", () => void open());
  // A touch beside it puts it away.
  sheet.addEventListener("pointerdown", (event) => event.target === sheet && sheet.close());
  choices.addEventListener("change", ({ target }) => {
    if (target === contrast) {
      settings.contrast = contrast.checked ? "more" : "";
      return changed("contrast");
    }
    const fields = [HTMLInputElement, HTMLSelectElement, HTMLTextAreaElement];
    if (!fields.some((kind) => target instanceof kind)) return;
    const field = /** @type {HTMLInputElement} */ (target);
    const name = field.dataset["setting"];
    if (!name) return;
    values[name] = field.type === "checkbox" ? field.checked : field.value.trim();
    changed(/** @type {keyof Settings} */ (name));
  });
  speakReplies.addEventListener("change", () => {
    settings.speakReplies = speakReplies.checked;
    changed("speakReplies");
  });

  async function open() {
    fill();
    sheet.showModal();
    const [offered, there] = await ask();
    if (offered.voices.length === 0) return; // it is not there just now
    known = offered;
    models = there;
    fill();
  }

  /** Show what is chosen. */
  function show() {
    speakReplies.checked = settings.speakReplies;
    if (sheet.open) fill();
  }

  /** Put what there is to choose from into the sheet, in the language of the page. */
  function fill() {
    void fillDevices();
    contrast.checked = settings.contrast === "more";
    fillVoices(/** @type {HTMLSelectElement} */ (field("voice")), known.voices, known.defaultVoice);
    const spoken = known.languages.map((tag) => new Option(languageName(tag), tag));
    spoken.sort((a, b) => a.text.localeCompare(b.text));
    field("language").replaceChildren(new Option(message("settings.language.any"), ""), ...spoken);
    field("theme").replaceChildren(
      new Option(message("settings.theme.system"), ""),
      new Option(message("settings.theme.light"), "light"),
      new Option(message("settings.theme.dark"), "dark"),
    );
    const own = LANGUAGES[pickLanguage(navigator.languages)];
    field("pageLanguage").replaceChildren(
      new Option(message("settings.pageLanguage.system", { name: own }), ""),
      ...Object.entries(LANGUAGES).map(([tag, name]) => new Option(name, tag)),
    );
    const standard = models.find((each) => each.default)?.name;
    const title = standard ? message("settings.model.named", { name: standard }) : message("settings.model.default");
    const options = models.map(({ name, tier }) => new Option(tier ? `${name} (${tier})` : name, name));
    field("model").replaceChildren(new Option(title, ""), ...options);
    for (const id of ["#model-field", "#model-hint"]) {
      /** @type {HTMLElement} */ (choices.querySelector(id)).hidden = models.length === 0;
    }
    for (const [name, value] of Object.entries(values)) {
      const control = field(name);
      if (control instanceof HTMLInputElement && control.type === "checkbox") control.checked = value === true;
      else if (control && (control instanceof HTMLSelectElement || control !== document.activeElement)) {
        choose(control, String(value)); // unless somebody is writing in it
      }
    }
  }

  /** The devices there are; browsers name them only once the microphone was allowed. */
  async function fillDevices() {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    for (const [name, kind] of [["microphone", "audioinput"], ["speaker", "audiooutput"]]) {
      const found = devices.filter(({ kind: its, deviceId }) => its === kind && deviceId !== "default");
      const options = found.map(({ label, deviceId }, index) => {
        const unnamed = message("settings.device.unnamed", { number: index + 1 });
        return new Option(label || unnamed, deviceId);
      });
      const select = field(/** @type {string} */ (name));
      select.replaceChildren(new Option(message("settings.device.default"), ""), ...options);
      choose(select, String(values[/** @type {string} */ (name)]));
    }
    const speakerField = /** @type {HTMLElement} */ (choices.querySelector("#speaker-field"));
    speakerField.hidden = !("setSinkId" in AudioContext.prototype);
  }
  navigator.mediaDevices?.addEventListener("devicechange", () => sheet.open && void fillDevices());

  return { open, show };
}

/**
 * A choice that no longer exists falls back to the first.
 * @param {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} control
 * @param {string} value
 */
function choose(control, value) {
  control.value = value;
  if (control instanceof HTMLSelectElement && control.selectedIndex < 0) control.selectedIndex = 0;
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
  const standard = name ? message("settings.voice.named", { name }) : message("settings.voice.default");
  select.replaceChildren(new Option(standard, ""), ...groups.values());
}
