// @ts-check
/**
 * The wake phrase, recognised in the transcript of what was said, by the page. Pure: time is handed in.
 *
 * Why here: recognition already understands everything that is said, in every language it knows, so a
 * second model that listens for one word would cost more and know less. While the page waits, the server
 * transcribes and does not answer (`create_response: false`); what does not begin with the phrase is
 * deleted from the conversation.
 */

/** Words before the phrase that do not matter: "okay, so, hey Viva". */
const LEAD = 3;

/**
 * What was said after the phrase, "" if that was all; null if it was not said. Recognition spells
 * names as it likes, so two of seven letters may differ.
 * @param {string} transcript
 * @param {string} phrase
 * @returns {string | null}
 */
export function afterPhrase(transcript, phrase) {
  const wanted = letters(phrase);
  if (!wanted) return null;
  const spaced = /\s/.test(transcript.trim());
  const parts = spaced ? [...transcript.matchAll(/\S+/g)] : [...transcript.matchAll(/./gsu)];
  const allowed = Math.floor((wanted.length * 2) / 7);
  let best = null;
  let least = allowed + 1;
  for (let first = 0; first < Math.min(parts.length, LEAD + 1); first++) {
    let said = "";
    for (let last = first; last < parts.length; last++) {
      said += letters(parts[last]?.[0] ?? "");
      if (said.length > wanted.length + allowed) break;
      const wrong = distance(said, wanted);
      if (wrong >= least) continue;
      least = wrong;
      const next = parts[last + 1];
      best = next ? transcript.slice(next.index).trim() : "";
    }
  }
  return best?.replace(/^[\s\p{P}]+/u, "") ?? null;
}

/** Letters and digits only, without case and accents. @param {string} text */
function letters(text) {
  return text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "");
}

/**
 * How many letters must be changed, added or left out (Levenshtein 1966).
 * @param {string} a
 * @param {string} b
 */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = /** @type {number} */ (row[j - 1]) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, /** @type {number} */ (row[j]) + 1, /** @type {number} */ (next[j - 1]) + 1));
    }
    row = next;
  }
  return /** @type {number} */ (row[b.length]);
}

/**
 * Whether hands-free answers: always without a phrase; otherwise after it was said, until nothing has
 * happened for a while.
 * @param {{ phrase: string, windowMs: number }} how
 */
export function createWake({ phrase, windowMs }) {
  let until = 0;
  return {
    phrase,
    /** @param {number} now ms, of any clock that only goes forward */
    awake(now) {
      return letters(phrase) === "" || now < until;
    },

    /** Something was said or heard: the window begins anew, if it is open. @param {number} now */
    touch(now) {
      if (now < until) until = now + windowMs;
    },

    /** Close it: the phrase is wanted again. */
    sleep() {
      until = 0;
    },

    /**
     * What to do with a turn that was said while asleep.
     * @param {string} transcript
     * @param {number} now
     * @returns {"answer" | "listen" | "ignore"} "listen": it was the phrase alone
     */
    hear(transcript, now) {
      const rest = afterPhrase(transcript, phrase);
      if (rest === null) return "ignore";
      until = now + windowMs;
      return rest ? "answer" : "listen";
    },
  };
}
