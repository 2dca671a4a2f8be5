// @ts-check
/** Whether we are being spoken to: hands-free may want the wake phrase first. */

import { createWake } from "./wake.js";

const TRANSCRIPTION = "conversation.item.input_audio_transcription.";

/** @typedef {import("./protocol.js").WireEvent} WireEvent */

/**
 * @param {object} ports
 * @param {() => boolean} ports.handsFree
 * @param {(event: WireEvent) => void} ports.dispatch it was for us: show it
 * @param {() => void} ports.woken the server must know
 * @param {() => void} ports.answer what was just said
 * @param {(id: string) => void} ports.forget an item that was not for us
 * @param {{ readonly wakePhrase: string }} settings read whenever the server is told
 * @param {number} windowMs how long it goes on without the phrase, after the last word of either side
 */
export function createAttention({ handsFree, dispatch, woken, answer, forget }, settings, windowMs) {
  let wake = createWake({ phrase: settings.wakePhrase, windowMs });
  /** What came of a turn that was said while asleep, until it is known what becomes of it. @type {WireEvent[]} */
  let overheard = [];
  let toldAwake = true;

  const awake = () => wake.awake(performance.now());

  return {
    /** Hands-free, and the phrase is wanted first. */
    get asleep() {
      return handsFree() && !awake();
    },

    /** Somebody says something, or is told something. */
    touch() {
      wake.touch(performance.now());
    },

    /** The server is being told: by the phrase that is set now. Returns whether it may answer. */
    tell() {
      if (wake.phrase !== settings.wakePhrase) wake = createWake({ phrase: settings.wakePhrase, windowMs });
      toldAwake = !this.asleep;
      return toldAwake;
    },

    /** The server was told otherwise: the window has closed since. */
    get outdated() {
      return handsFree() && toldAwake !== awake();
    },

    /**
     * Asleep, a turn is shown and answered only if it was for us; otherwise it never was. Returns whether
     * the event is kept from the page.
     * @param {WireEvent} event
     */
    keepBack(event) {
      if (!this.asleep) return false;
      const kept =
        event.type.startsWith(TRANSCRIPTION) ||
        event.type === "input_audio_buffer.committed" ||
        (event.type.startsWith("conversation.item.") && event.item?.role === "user");
      if (!kept) return false;
      overheard.push(event);
      if (event.type === `${TRANSCRIPTION}failed`) overheard = [];
      if (event.type !== `${TRANSCRIPTION}completed`) return true;
      const events = overheard.splice(0);
      switch (wake.hear(event.transcript, performance.now())) {
        case "answer":
          for (const each of events) dispatch(each);
          woken();
          answer();
          break;
        case "listen":
          woken();
          forget(event.item_id);
          break;
        case "ignore":
          forget(event.item_id);
      }
      return true;
    },

    /** What was overheard belongs to a session that is gone. */
    drop() {
      overheard = [];
    },

    /** Another conversation begins: the phrase is wanted again. */
    sleep() {
      overheard = [];
      wake.sleep();
    },
  };
}
