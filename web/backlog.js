// @ts-check
/**
 * What the page has sent, as long as the server may not have received it, and what waits to be sent.
 * Pure. Messages have numbers from 1 on, in the order in which they were first given to a socket; the
 * server counts what arrives, so after a loss it is known which are missing.
 */

/** Sent messages that are kept: half a minute of microphone frames. */
const KEPT = 1500;
/** Microphone frames that wait for a line: ten seconds. Older ones are dropped. */
const FRAMES = 500;

/** What was asked for without a line and is worth as much in a new session. */
const LASTING = new Set(["conversation.item.create", "response.create"]);

/** @typedef {{ type: string, message: string | ArrayBuffer }} Waiting */

export function createBacklog() {
  /** @type {(string | ArrayBuffer)[]} the newest of the messages that were sent */
  let kept = [];
  /** The number of the newest message that was sent. */
  let sent = 0;
  /** @type {Waiting[]} */
  let waiting = [];
  let dropped = 0;

  /** @param {string | ArrayBuffer} message */
  function note(message) {
    sent++;
    kept.push(message);
    if (kept.length > 2 * KEPT) kept = kept.slice(-KEPT);
  }

  return {
    /** Microphone frames that waited for too long. */
    get dropped() {
      return dropped;
    },

    /** A message was given to the socket. */
    note,

    /**
     * There is no line now: keep it until there is.
     * @param {string} type the event's
     * @param {string | ArrayBuffer} message
     */
    wait(type, message) {
      waiting.push({ type, message });
      const frames = waiting.filter((each) => typeof each.message !== "string");
      if (frames.length <= FRAMES) return;
      const [oldest] = frames;
      waiting = waiting.filter((each) => each !== oldest);
      dropped++;
    },

    /**
     * The session goes on; the server has received the first `received` messages. Returns what is to be
     * sent now, in order.
     * @param {number} received
     */
    resume(received) {
      const missing = sent > received ? kept.slice(-(sent - received)) : [];
      const messages = waiting.map(({ message }) => message);
      waiting = [];
      messages.forEach(note);
      return [...missing, ...messages];
    },

    /** Another session begins. Returns what was asked for meanwhile and holds for it too. */
    restart() {
      const lasting = waiting.filter(({ type }) => LASTING.has(type));
      [kept, sent, waiting] = [[], 0, []];
      return lasting.map(({ message }) => message);
    },
  };
}
