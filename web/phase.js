// @ts-check
/** The one word for what goes on, from the facts. Pure. */

/** @typedef {"connecting" | "offline" | "ready" | "listening" | "hearing" | "thinking" | "speaking" | "asleep" | "muted"} Phase */

/** RMS above which a held button counts as being spoken into: -40 dB of full scale. */
const SPEECH_LEVEL = 0.01;

/**
 * @typedef {object} Facts
 * @property {"connecting" | "online" | "offline"} line
 * @property {boolean} held the talk button, with the microphone open
 * @property {boolean} handsFree
 * @property {boolean} [muted] hands-free, and nothing is heard
 * @property {boolean} [asleep] hands-free, and the wake phrase is wanted first
 * @property {number} level of the microphone, RMS, 0 to 1
 * @property {boolean} userSpeaking the server hears speech
 * @property {boolean} playing a reply sounds
 * @property {boolean} answering a reply is being made, or asked for
 */

/**
 * The user comes first: what is heard wins over what is said, what is said over what is waited for.
 * @param {Facts} facts
 * @returns {Phase}
 */
export function phaseOf(facts) {
  const { line, held, handsFree, muted, asleep, level, userSpeaking, playing, answering } = facts;
  if (line !== "online") return playing ? "speaking" : line;
  if (held) return level >= SPEECH_LEVEL ? "hearing" : "listening";
  if (handsFree && userSpeaking && !muted && !asleep) return "hearing";
  if (playing) return "speaking";
  if (answering) return "thinking";
  if (!handsFree) return "ready";
  if (muted) return "muted";
  return asleep ? "asleep" : "listening";
}
