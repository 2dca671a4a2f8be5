// @ts-check
/** Long work in short tasks: the page is drawn, and answers, in between. */

/** Resolves in a task of its own. @returns {Promise<void>} */
export function breath() {
  return new Promise((resolve) => setTimeout(resolve));
}

/** What can wait does not wait longer. */
const LONGEST_MS = 500;

/** Resolves when the browser has nothing better to do, or soon. @returns {Promise<unknown>} */
export function spareTime() {
  return new Promise((resolve) => {
    // Safari has no such callback.
    if ("requestIdleCallback" in globalThis) requestIdleCallback(resolve, { timeout: LONGEST_MS });
    else setTimeout(resolve, LONGEST_MS);
  });
}
