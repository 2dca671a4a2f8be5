// @ts-check
/** The WebSocket to the server: opened again whenever it is lost. */

import { createBacklog } from "./backlog.js";
import { createPulse } from "./pulse.js";
import { BadEvent, SUBPROTOCOL, decode, encode } from "./protocol.js";

/** A subprotocol that asks for a session again: a token and a number follow. */
const SUBPROTOCOL_RESUME = "vivavoce.resume.";

const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 10_000;
/**
 * Two seconds of microphone audio and more: what waits longer in the socket is dropped, not sent late.
 * Opus takes 5 kB a second with its headers, and what else is sent needs some room beside it.
 */
const BACKLOG_BYTES = { samples: 2 * 48_000, opus: 16_000 };
/** Ten seconds without a byte leaving: the line is dead, though nothing has said so. */
const STALLED_MS = 10_000;
/** How often it is asked whether the line is alive. */
const BEAT_MS = 2000;
/** An event that changes nothing and is answered at once. */
const ARE_YOU_THERE = { type: "session.update", session: {} };

/**
 * How long to wait before attempt number `attempt` (0, 1, ...): 0.5 s, doubled each time up to 10 s,
 * of which a random quarter is taken off so that many pages do not return in the same moment.
 * @param {number} attempt
 * @param {number} random 0 to 1
 */
export function backoff(attempt, random) {
  return Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt) * (1 - random / 4);
}

/**
 * Why a connection ended, as a key of the notices.
 * @param {number} code the WebSocket close code
 * @param {boolean} wasOpen
 * @returns {"server_full" | "server_refused" | "server_lost" | "server_unreachable"}
 */
export function closeReason(code, wasOpen) {
  if (code === 1013) return "server_full";
  if (code === 1008 || code === 1002) return "server_refused";
  return wasOpen ? "server_lost" : "server_unreachable";
}

/**
 * Connect, and stay connected until `close`. A lost line is opened again, and the session goes on where
 * it was, if the server still has it: nothing is lost and nothing comes twice.
 * @param {object} ports
 * @param {string} ports.url
 * @param {(event: import("./protocol.js").WireEvent) => void} ports.onEvent `session.created` is a new
 *   session: nothing of an earlier one is known to it
 * @param {(reason: ReturnType<typeof closeReason>) => void} ports.onLost there is no line just now
 * @param {(how: { restored: boolean }) => void} [ports.onResumed] there is again, and the session goes
 *   on; `restored`: in a server that was started anew, so that a reply in progress is over
 * @param {(url: string, protocols: string[]) => WebSocket} [ports.open]
 * @param {() => boolean} [ports.hidden] the tab is in the background
 */
export function connect({
  url,
  onEvent,
  onLost,
  onResumed = () => {},
  open = (u, p) => new WebSocket(u, p),
  hidden = () => document.hidden,
}) {
  /** @type {WebSocket | null} */
  let socket = null;
  /** The server has greeted: what is sent now has a session to go to. */
  let greeted = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let attempt = 0;
  let ended = false;
  let fullSince = 0;
  let dropped = 0;
  /** @type {{ token: string, seconds: number } | null} what the session can be taken up again with */
  let ticket = null;
  /** Messages of the session that have come. */
  let received = 0;
  let lostAt = 0;
  const backlog = createBacklog();
  const pulse = createPulse(Date.now());

  /** The session may go on, though there is no line now. */
  const resumable = () => ticket !== null && performance.now() - lostAt < ticket.seconds * 1000;

  function start() {
    clearTimeout(timer);
    if (ended || socket) return;
    const protocols = [SUBPROTOCOL];
    if (ticket) protocols.push(`${SUBPROTOCOL_RESUME}${ticket.token}.${received}`);
    const opening = open(url, protocols);
    opening.binaryType = "arraybuffer";
    opening.onmessage = ({ data }) => socket === opening && receive(data);
    opening.onclose = ({ code }) => {
      if (socket === opening) lose(closeReason(code, greeted));
    };
    socket = opening;
    fullSince = 0;
    pulse.ask(Date.now());
  }

  /** @param {string | ArrayBuffer} data */
  function receive(data) {
    pulse.hear(Date.now());
    let event;
    try {
      event = decode(data);
    } catch (error) {
      if (!(error instanceof BadEvent)) throw error;
      received++;
      return void console.warn(error.message);
    }
    received++;
    if (event.type === "session.created") return begin(event);
    if (event.type === "session.resumed") return resume(event);
    onEvent(event);
  }

  /** @param {import("./protocol.js").WireEvent} event */
  function begin(event) {
    greet();
    ticket = event["resume"] ?? null;
    received = 1;
    const asked = backlog.restart();
    onEvent(event);
    asked.forEach(put);
  }

  /** @param {import("./protocol.js").WireEvent} event */
  function resume(event) {
    greet();
    received--; // the greeting is not one of the session's messages
    if (event["restored"] === true) {
      // Another process goes on with it, and counts from the beginning.
      received = 0;
      backlog.restart().forEach(put);
      onResumed({ restored: true });
      return;
    }
    for (const message of backlog.resume(event["received"])) socket?.send(message);
    onResumed({ restored: false });
  }

  function greet() {
    // Open is when the server greets: one that accepts and closes again must not reset the delay.
    greeted = true;
    attempt = 0;
  }

  /** @param {string | ArrayBuffer} message */
  function put(message) {
    backlog.note(message);
    socket?.send(message);
  }

  /** @param {ReturnType<typeof closeReason>} reason */
  function lose(reason) {
    if (greeted) lostAt = performance.now();
    socket = null;
    greeted = false;
    onLost(reason);
    if (!ended) timer = setTimeout(start, backoff(attempt++, Math.random()));
  }

  /** Closing a dead line may take the browser a minute: leave it behind at once. */
  function leave() {
    if (!socket) return;
    socket.onclose = socket.onmessage = null;
    socket.close();
    lose(closeReason(0, greeted));
  }

  function retry() {
    attempt = 0;
    start();
  }

  /** @param {import("./protocol.js").WireEvent} event */
  function sendNow(event) {
    put(encode(event));
    // Reports of what was played are the only events without an answer.
    if (event.type !== "output_audio_buffer.played") pulse.ask(Date.now());
  }

  function renew() {
    if (!socket) return retry();
    if (!greeted) return;
    // Where the session would be lost with its line, that has to be dead for certain.
    if (!ticket) return sendNow(ARE_YOU_THERE);
    leave();
    retry();
  }

  const beat = setInterval(() => {
    const verdict = pulse.look(Date.now(), { hidden: hidden() });
    if (verdict === "ask" && greeted) sendNow(ARE_YOU_THERE);
    else if (verdict === "slept") renew();
    else if (verdict === "dead") leave();
  }, BEAT_MS);
  start();
  return {
    get connected() {
      return greeted && socket?.readyState === 1;
    },
    /** Microphone frames that were dropped because the line could not take them. */
    get dropped() {
      return dropped + backlog.dropped;
    },

    /**
     * Send an event, now or when the line is back; false if it went nowhere.
     * @param {import("./protocol.js").WireEvent} event
     */
    send(event) {
      if (greeted && socket?.readyState === 1) sendNow(event);
      else if (resumable()) backlog.wait(event.type, encode(event));
      else return false;
      return true;
    },

    /**
     * Send what the microphone hears, unless the line is behind; without a line it waits for a while.
     * @param {Int16Array | Uint8Array} sound samples, or a piece of Opus
     */
    sendAudio(sound) {
      const event = { type: "input_audio_buffer.append", audio: sound };
      if (!greeted || socket?.readyState !== 1) {
        if (!resumable()) return false;
        backlog.wait(event.type, encode(event));
        return true;
      }
      const limit = sound instanceof Uint8Array ? BACKLOG_BYTES.opus : BACKLOG_BYTES.samples;
      if (socket.bufferedAmount <= limit) {
        fullSince = 0;
        put(encode(event));
        return true;
      }
      dropped++;
      const now = performance.now();
      fullSince ||= now;
      if (now - fullSince > STALLED_MS) leave();
      return false;
    },

    /** Try at once if waiting: the page came back. */
    retry,

    /**
     * The line is dead or may be, though nothing has said so: take another one at once. One that is
     * just being opened is let be.
     */
    renew,

    /** End this session for good, here and at the server, and begin another. */
    restart() {
      ticket = null;
      backlog.restart();
      if (socket) {
        socket.onclose = socket.onmessage = null;
        socket.close(1000);
      }
      socket = null;
      greeted = false;
      retry();
    },

    close() {
      ended = true;
      clearTimeout(timer);
      clearInterval(beat);
      socket?.close(1000);
    },
  };
}
