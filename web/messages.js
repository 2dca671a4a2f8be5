// @ts-check
/**
 * The page's words in the language it is shown in, and numbers, times and names as that language writes
 * them. One catalogue for each language in `words/`; the keys are the page's own, and `index.html` names
 * them in `data-message*` attributes. English is always there, the others are loaded when wanted.
 */

import english from "./words/en.js";

/** @typedef {typeof english} English */
/** @typedef {keyof English} MessageKey */
/** @typedef {{ [form in Intl.LDMLPluralRule]?: string }} Plural */
/** What each language has to have. @typedef {{ [key in MessageKey]: English[key] extends string ? string : Plural }} Words */

/** The languages there are, each in its own name. */
export const LANGUAGES = Object.freeze({
  en: "English",
  de: "Deutsch",
  fr: "Français",
  es: "Español",
  ja: "日本語",
  ar: "العربية",
});

/** @type {Words} */
let words = english;
let locale = "en";

/**
 * The first of the wanted languages that there is, else English. "de-AT" is German.
 * @param {readonly string[]} wanted BCP 47 tags, best first
 * @returns {keyof typeof LANGUAGES}
 */
export function pickLanguage(wanted) {
  const known = wanted.map((tag) => tag.split("-")[0] ?? "").find((tag) => tag in LANGUAGES);
  return /** @type {keyof typeof LANGUAGES} */ (known ?? "en");
}

/**
 * Show the page in one of `LANGUAGES` from now on; messages already shown stay as they are. A language
 * whose words cannot be loaded leaves the one before.
 * @param {string} tag
 */
export async function speakLanguage(tag) {
  const chosen = pickLanguage([tag]);
  if (chosen !== "en") words = (await import(`./words/${chosen}.js`)).default;
  else words = english;
  locale = chosen;
}

/** The language of the page: one of `LANGUAGES`. */
export function pageLanguage() {
  return locale;
}

/** @returns {"rtl" | "ltr"} which way the page's language is written */
export function direction() {
  return locale === "ar" ? "rtl" : "ltr";
}

/** @param {string} key */
export function hasMessage(key) {
  return key in words;
}

/**
 * @param {MessageKey} key
 * @param {Record<string, string | number>} [values] numbers are written as the language does
 * @returns {string}
 */
export function message(key, values = {}) {
  const found = words[key];
  const text = typeof found === "string" ? found : choose(found, Number(values["count"]));
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return typeof value === "number" ? formatNumber(value) : (value ?? whole);
  });
}

/**
 * @param {Plural} forms
 * @param {number} count
 */
function choose(forms, count) {
  return forms[new Intl.PluralRules(locale).select(count)] ?? forms.other ?? "";
}

/** @param {number} value */
export function formatNumber(value) {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }).format(value);
}

/** The time of day. @param {Date} moment */
export function formatTime(moment) {
  return new Intl.DateTimeFormat(locale, { timeStyle: "short" }).format(moment);
}

/** The day. @param {Date} moment */
export function formatDay(moment) {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).format(moment);
}

/**
 * What an error's code means to whoever sees it.
 * @param {string} code as the server's documentation lists them
 * @param {string} [told] what the server says itself, in English
 */
export function explain(code, told = "") {
  const kind = code.startsWith("llm_") ? "error.llm" : `error.${code}`;
  if (kind in words) return message(/** @type {MessageKey} */ (kind));
  return message("error.other", { message: told || code });
}

/** One for each language of the page, since making it takes milliseconds. @type {Map<string, Intl.DisplayNames>} */
const names = new Map();

/**
 * The name of a language in the page's own language: "de" -> "German".
 * @param {string} tag a BCP 47 tag
 */
export function languageName(tag) {
  const own = names.get(locale) ?? new Intl.DisplayNames([locale], { type: "language" });
  names.set(locale, own);
  try {
    return own.of(tag) ?? tag;
  } catch {
    return tag;
  }
}
