// @ts-check
/** The owner's settings, kept by the server for all their browsers; the browser's own where there are none. */

import { ask } from "./library-api.js";
import { SHARED, toServer } from "./settings.js";

/** @typedef {import("./settings.js").Settings} Settings */

/** Which of the page's settings the server keeps. @param {string} name */
export const isShared = (name) => SHARED.some((each) => each === name);

/** What was set, null if nothing ever was. */
export async function fetchSettings() {
  const response = await fetch("/api/v1/settings");
  if (!response.ok || response.headers.get("etag")?.includes('"0"')) return null;
  return response.json();
}

/** @param {Settings} settings */
export function storeSettings(settings) {
  return ask("PUT", "/settings", toServer(settings), { "if-match": "*" });
}
