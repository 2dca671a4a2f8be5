// @ts-check
/**
 * From the server's replies to the loudspeaker: which audio is played, dropped, or played softly. The
 * one place where audio of an interrupted reply is dropped.
 *
 * Ducking (hands-free): when the server hears speech over a reply, the reply goes on at a fifth of its
 * loudness until the server decides. It decides "that was an interruption" with
 * `output_audio_buffer.cleared` or a cancelled `response.done`: then the reply stops. It decides
 * otherwise by `speech_stopped`; 0.2 s after it, or 5 s after `speech_started` if that does not come, the reply is
 * as loud as before.
 */

import { itemOfTurn } from "./conversation.js";

const UNDUCK_MS = 200;
const DUCK_LIMIT_MS = 5000;

/** @typedef {import("./conversation.js").Conversation} Conversation */

/**
 * @param {Pick<ReturnType<typeof import("./speaker.js").createSpeaker>,
 *   "push" | "finish" | "stop" | "duck" | "holds" | "sounding">} speaker
 */
export function createReplies(speaker) {
  /** Turns that were interrupted; their audio may still be on its way. @type {Set<number>} */
  let dead = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let unduck;
  let stale = 0;

  /** @param {number} ms play softly for so long, unless something is decided before */
  function duck(ms) {
    if (!speaker.sounding) return;
    clearTimeout(unduck);
    speaker.duck(true);
    unduck = setTimeout(endDuck, ms);
  }

  function endDuck() {
    clearTimeout(unduck);
    unduck = undefined;
    speaker.duck(false);
  }

  /**
   * The server has interrupted a turn: not a sample more of it.
   * @param {string | undefined} itemId
   * @param {number} turn
   */
  function silence(itemId, turn) {
    dead.add(turn);
    if (!speaker.holds(itemId)) return;
    endDuck();
    void speaker.stop();
  }

  return {
    /** Frames that came too late to be played. */
    get stale() {
      return stale;
    },

    /**
     * @param {import("./protocol.js").WireEvent} event
     * @param {Conversation} conversation
     */
    hear(event, conversation) {
      const itemId = itemOfTurn(conversation, event.turn);
      switch (event.type) {
        case "session.created":
          dead = new Set(); // a new session counts its turns anew
          break;
        case "response.output_audio.delta":
          if (itemId === undefined || dead.has(event.turn)) stale++;
          else speaker.push(itemId, event.delta);
          break;
        case "response.output_audio.done":
          speaker.finish(event.item_id);
          break;
        case "response.done":
          if (event.response.status === "cancelled") silence(itemId, event.turn);
          else if (itemId !== undefined) speaker.finish(itemId);
          break;
        case "output_audio_buffer.cleared":
          silence(itemId, event.turn);
          break;
        case "input_audio_buffer.speech_started":
          duck(DUCK_LIMIT_MS);
          break;
        case "input_audio_buffer.speech_stopped":
          // That it was an interruption after all may be the next thing the server says.
          if (unduck !== undefined) duck(UNDUCK_MS);
          break;
      }
    },

    /**
     * The listener has stopped the reply: nothing of it, or of one before it, is played from now on.
     * @param {Conversation} conversation
     */
    drop({ turnOfItem, response }) {
      for (const turn of Object.values(turnOfItem)) dead.add(turn);
      if (response) dead.add(response.turn);
      endDuck();
    },
  };
}
