// @ts-check
/**
 * Whether the line is alive, where nothing says that it is not: a network that went away without a word,
 * a machine that slept, a tab that was frozen. Pure: time is handed in.
 */

/** A tick is due every second or two: after so long without one, this page or its machine slept. */
const SLEPT_MS = 20_000;
/** The server answers at once, or else it is not there. */
const PATIENCE_MS = 8_000;
/** After so long without a word from the server it is asked for one. */
const QUIET_MS = 15_000;

/** @param {number} start ms, of a clock that goes on while the machine sleeps */
export function createPulse(start) {
  let ticked = start;
  let heard = start;
  /** Since when an answer is due. @type {number | null} */
  let asked = null;

  return {
    /** The server has said something. @param {number} now ms */
    hear(now) {
      heard = now;
      asked = null;
    },

    /** Something was sent that is always answered. @param {number} now ms */
    ask(now) {
      asked ??= now;
    },

    /**
     * To be called every second or two. A hidden tab may be called once a minute only, which is no sleep.
     * @param {number} now ms
     * @param {{ hidden: boolean }} tab
     * @returns {"nothing" | "ask" | "slept" | "dead"} "ask": the server for a word; "slept": whatever
     *   line there was may be dead; "dead": it is, for no answer came
     */
    look(now, { hidden }) {
      const slept = now - ticked > SLEPT_MS;
      ticked = now;
      if (slept) {
        // Nothing that came meanwhile was seen: the patience begins anew.
        if (asked !== null) asked = now;
        return hidden ? "nothing" : "slept";
      }
      if (asked !== null && now - asked > PATIENCE_MS) {
        asked = null;
        heard = now;
        return "dead";
      }
      return asked === null && now - heard > QUIET_MS ? "ask" : "nothing";
    },
  };
}
