// @ts-check
/** How the page looks: its colours, its contrast, and the language and direction of its words. */

import { direction, pageLanguage, pickLanguage, speakLanguage } from "./messages.js";

const wantsContrast = window.matchMedia("(prefers-contrast: more)");

/** @param {Pick<import("./settings.js").Settings, "theme" | "contrast">} settings */
export function applyColours({ theme, contrast }) {
  const { dataset } = document.documentElement;
  dataset["theme"] = theme;
  dataset["contrast"] = contrast === "more" || wantsContrast.matches ? "more" : "";
  const bar = getComputedStyle(document.documentElement).getPropertyValue("background-color");
  document.querySelector('meta[name="theme-color"]')?.setAttribute("content", bar);
  document.dispatchEvent(new Event("colours"));
}

/**
 * Call `applied` whenever the system's colours change.
 * @param {() => void} applied
 */
export function followSystem(applied) {
  wantsContrast.addEventListener("change", applied);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", applied);
}

/**
 * Speak the chosen language, or the first of the browser's that there is.
 * @param {string} chosen
 */
export async function applyLanguage(chosen) {
  const wanted = pickLanguage(chosen ? [chosen] : navigator.languages);
  try {
    await speakLanguage(wanted);
  } catch (error) {
    console.warn("the words of this language could not be loaded", error);
  }
  document.documentElement.lang = pageLanguage();
  document.documentElement.dir = direction();
}

/**
 * Tell the server which language was chosen, so that the words of the first paint are of it.
 * @param {string} chosen "": the browser's
 */
export function keepLanguage(chosen) {
  const seconds = chosen ? 365 * 86_400 : 0;
  document.cookie = `vivavoce_language=${chosen}; path=/; max-age=${seconds}; samesite=lax`;
}
