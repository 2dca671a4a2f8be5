// @ts-check
/** What a kiosk that nobody tends does when something is wrong with it. Pure: time is handed in. */

/** A tick is due every second: after so long without one the tab was frozen, or the machine slept. */
const FROZEN_MS = 30_000;
/** The microphone gives a frame every 20 ms, in silence too. */
const DEAF_MS = 5000;
/** Openings of the microphone without a sound from it, before the page is loaded anew. */
const TRIES = 4;
const ERRORS = 5;
/** Half a day: whatever has piled up in the browser goes, while nobody is there. */
const RENEW_MS = 12 * 3600_000;
/** A page that fails at once must not load itself over and over. */
const RELOAD_APART_MS = 60_000;

/**
 * @param {number} start ms
 */
export function createWatchdog(start) {
  let last = start;
  let tries = 0;
  let triedAt = start;
  let errors = 0;

  return {
    /** Something went wrong that nobody has caught. */
    fail() {
      errors++;
    },

    /**
     * @param {number} now ms
     * @param {object} facts
     * @param {boolean} facts.listening the microphone should be open
     * @param {number} facts.silentMs without a frame from it; Infinity if it is not open
     * @param {boolean} facts.idle nobody is there
     * @param {boolean} facts.outdated the server has another page than this one
     * @returns {"nothing" | "open" | "reload"} "open" the microphone again
     */
    look(now, { listening, silentMs, idle, outdated }) {
      const gap = now - last;
      last = now;
      if (!listening || silentMs < DEAF_MS) tries = 0;
      if (now - start < RELOAD_APART_MS) {
        // Too early to give up on this page.
      } else if (gap > FROZEN_MS || errors >= ERRORS || tries >= TRIES) {
        return "reload";
      } else if (idle && (outdated || now - start > RENEW_MS)) {
        return "reload";
      }
      if (!listening || silentMs < DEAF_MS || now - triedAt < DEAF_MS) return "nothing";
      tries++;
      triedAt = now;
      return "open";
    },
  };
}

/**
 * When a visitor has gone: nothing was said or touched for a while. The last seconds are told.
 * @param {number} idleMs
 * @param {number} [warnMs]
 */
export function createIdle(idleMs, warnMs = 10_000) {
  const warning = Math.min(warnMs, idleMs / 2);
  let since = 0;
  return {
    /** @param {number} now ms */
    touch(now) {
      since = now;
    },
    /**
     * The seconds that are left, if few are; null if there are many.
     * @param {number} now ms
     */
    left(now) {
      const left = since + idleMs - now;
      return left > warning ? null : Math.max(0, Math.ceil(left / 1000));
    },
  };
}
