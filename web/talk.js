// @ts-check
/**
 * Who has the floor, seen from the page: push-to-talk, hands-free, typing, interrupting. It knows no
 * browser interface, only the ports it is given.
 *
 * Push-to-talk: press = stop the reply, `clear`, then the 160 ms captured before the press (so that the
 * first syllable is not lost), then every frame; release = the frames still under way, `commit`,
 * `response.create`. Hands-free: every frame, always; the server decides.
 */

import { WIRE_RATE } from "./protocol.js";

const PREROLL_FRAMES = 8;
/** Less than this after the press is a slip of the finger, not speech. */
const SHORTEST_SAMPLES = WIRE_RATE / 5;

/**
 * @typedef {object} Ports
 * @property {(event: import("./protocol.js").WireEvent) => boolean} send false without a connection
 * @property {(samples: Int16Array) => void} sendAudio
 * @property {() => Promise<void>} openMicrophone resolves when frames flow; rejects with words to show
 * @property {() => Promise<void>} drainMicrophone resolves when all that was captured was handed in
 * @property {() => Promise<{ itemId: string, ms: number } | null>} stopPlayback silence, at once
 * @property {() => boolean} replying a reply is being made, or asked for
 * @property {() => boolean} sounding reply audio plays or waits to be played
 * @property {() => void} dropReply forget audio of the reply that still arrives
 * @property {() => void} configure send the session's settings
 * @property {() => void} asked a reply was asked for
 * @property {(notice: "too_short" | "microphone_ready" | "not_connected") => void} notify
 * @property {(error: unknown) => void} fail a microphone that cannot be opened
 * @property {() => boolean} [deaf] hands-free must not listen just now: a turn is played again
 * @property {() => void} changed
 */

/** @param {Ports} ports */
export function createTalk(ports) {
  /** @type {Int16Array[]} */
  let preroll = [];
  let held = false;
  let streaming = false;
  let handsFree = false;
  let muted = false;
  let sent = 0;
  let stoppedReply = false;
  /** @type {Promise<void>} */
  let pressed = Promise.resolve();

  /** Stop the reply, if there is one, and tell the server where. */
  async function interrupt() {
    const replying = ports.replying();
    if (!replying && !ports.sounding()) return false;
    ports.dropReply();
    const stopped = ports.stopPlayback();
    if (replying) ports.send({ type: "response.cancel" });
    const heard = await stopped;
    if (heard) {
      ports.send({
        type: "conversation.item.truncate",
        item_id: heard.itemId,
        content_index: 0,
        audio_end_ms: heard.ms,
      });
    }
    return true;
  }

  async function begin() {
    const interrupted = interrupt();
    let asked = false;
    const waiting = setTimeout(() => (asked = true), 300);
    try {
      await ports.openMicrophone();
    } catch (error) {
      held = false;
      ports.fail(error);
      return;
    } finally {
      clearTimeout(waiting);
      ports.changed();
    }
    stoppedReply = await interrupted;
    // Whoever was asked for permission let go of the button to give it.
    if (!held) return asked ? ports.notify("microphone_ready") : slip();
    if (!ports.send({ type: "input_audio_buffer.clear" })) {
      held = false;
      return ports.notify("not_connected");
    }
    for (const samples of preroll) ports.sendAudio(samples);
    preroll = [];
    sent = 0;
    streaming = true;
    ports.changed();
  }

  /** Too short to be speech; no matter if it was meant to stop a reply. */
  function slip() {
    if (!stoppedReply) ports.notify("too_short");
  }

  return {
    get held() {
      return held;
    },
    get streaming() {
      return streaming || (handsFree && !muted);
    },
    get handsFree() {
      return handsFree;
    },
    /** Hands-free, and nothing is heard for now. */
    get muted() {
      return handsFree && muted;
    },

    press() {
      if (held || handsFree) return;
      held = true;
      pressed = pressed.then(begin);
      ports.changed();
    },

    async release() {
      if (!held) return;
      held = false;
      ports.changed();
      await pressed;
      if (!streaming) return;
      await ports.drainMicrophone();
      streaming = false;
      if (sent < SHORTEST_SAMPLES) {
        ports.send({ type: "input_audio_buffer.clear" });
        slip();
      } else if (ports.send({ type: "input_audio_buffer.commit" })) {
        ports.send({ type: "response.create" });
        ports.asked();
      }
      ports.changed();
    },

    /**
     * A frame from the microphone.
     * @param {Int16Array} samples
     */
    hear(samples) {
      if (handsFree && (muted || ports.deaf?.())) return;
      if (handsFree || streaming) {
        sent += samples.length;
        ports.sendAudio(samples);
        return;
      }
      preroll.push(samples);
      if (preroll.length > PREROLL_FRAMES) preroll.shift();
    },

    /** @param {boolean} on */
    async setHandsFree(on) {
      if (on === handsFree) return;
      await this.release();
      if (on) {
        try {
          await ports.openMicrophone();
        } catch (error) {
          ports.fail(error);
          return;
        } finally {
          ports.changed();
        }
        ports.send({ type: "input_audio_buffer.clear" });
        handsFree = true;
        muted = false;
        ports.configure();
      } else {
        handsFree = false;
        preroll = [];
        ports.configure();
        ports.send({ type: "input_audio_buffer.clear" });
      }
      ports.changed();
    },

    /** @param {boolean} on hands-free hears nothing until it is taken back */
    setMuted(on) {
      if (!handsFree || on === muted) return;
      muted = on;
      if (on) ports.send({ type: "input_audio_buffer.clear" });
      ports.changed();
    },

    /**
     * Typed words interrupt like spoken ones. False if they could not be sent.
     * @param {string} text
     */
    async say(text) {
      await interrupt();
      const item = { id: newItemId(), type: "message", role: "user", content: [{ type: "input_text", text }] };
      if (!ports.send({ type: "conversation.item.create", item })) {
        ports.notify("not_connected");
        return false;
      }
      ports.send({ type: "response.create" });
      ports.asked();
      ports.changed();
      return true;
    },

    async stopReply() {
      await interrupt();
      ports.changed();
    },

    /** The server, or the microphone, is gone: what was being said is lost. */
    abandon() {
      held = streaming = false;
      preroll = [];
    },
  };
}

/** A name that no other item has: what waits to be sent is known by it. */
function newItemId() {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  return `item_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
