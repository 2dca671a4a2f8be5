// @ts-check
/** The WebSocket to the server: opened again whenever it is lost. */

import { BadEvent, SUBPROTOCOL, decode, encode } from "./protocol.js";

const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 10_000;
/** Two seconds of microphone audio: what waits longer in the socket is dropped, not sent late. */
const AUDIO_BACKLOG_BYTES = 2 * 48_000;
/** Ten seconds without a byte leaving: the line is dead, though nothing has said so. */
const STALLED_MS = 10_000;

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
 * Connect, and stay connected until `close`.
 * @param {object} ports
 * @param {string} ports.url
 * @param {(event: import("./protocol.js").WireEvent) => void} ports.onEvent
 * @param {(reason: ReturnType<typeof closeReason>) => void} ports.onLost
 * @param {(url: string, protocols: string[]) => WebSocket} [ports.open]
 */
export function connect({ url, onEvent, onLost, open = (u, p) => new WebSocket(u, p) }) {
  /** @type {WebSocket | null} */
  let socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let attempt = 0;
  let ended = false;
  let fullSince = 0;
  let dropped = 0;

  function start() {
    clearTimeout(timer);
    if (ended || socket) return;
    const opening = open(url, [SUBPROTOCOL]);
    opening.binaryType = "arraybuffer";
    let wasOpen = false;
    opening.onmessage = ({ data }) => {
      // Open is when the server greets: one that accepts and closes again must not reset the delay.
      wasOpen = true;
      attempt = 0;
      receive(data);
    };
    opening.onclose = ({ code }) => {
      if (socket === opening) lose(closeReason(code, wasOpen));
    };
    socket = opening;
    fullSince = 0;
  }

  /** @param {string | ArrayBuffer} data */
  function receive(data) {
    let event;
    try {
      event = decode(data);
    } catch (error) {
      if (error instanceof BadEvent) return void console.warn(error.message);
      throw error;
    }
    onEvent(event);
  }

  /** @param {ReturnType<typeof closeReason>} reason */
  function lose(reason) {
    socket = null;
    onLost(reason);
    if (!ended) timer = setTimeout(start, backoff(attempt++, Math.random()));
  }

  start();
  return {
    get connected() {
      return socket?.readyState === 1;
    },
    /** Microphone frames that were dropped because the line could not take them. */
    get dropped() {
      return dropped;
    },

    /**
     * Send an event; false if there is no connection.
     * @param {import("./protocol.js").WireEvent} event
     */
    send(event) {
      if (socket?.readyState !== 1) return false;
      socket.send(encode(event));
      return true;
    },

    /**
     * Send microphone samples, unless the line is behind.
     * @param {Int16Array} samples
     */
    sendAudio(samples) {
      if (socket?.readyState !== 1) return false;
      if (socket.bufferedAmount <= AUDIO_BACKLOG_BYTES) {
        fullSince = 0;
        socket.send(encode({ type: "input_audio_buffer.append", audio: samples }));
        return true;
      }
      dropped++;
      const now = performance.now();
      fullSince ||= now;
      if (now - fullSince > STALLED_MS) {
        // Closing a dead line may take the browser a minute: leave it behind at once.
        socket.onclose = socket.onmessage = null;
        socket.close();
        lose("server_lost");
      }
      return false;
    },

    /** Try at once if waiting: the network came back, or the page did. */
    retry() {
      attempt = 0;
      start();
    },

    close() {
      ended = true;
      clearTimeout(timer);
      socket?.close();
    },
  };
}
