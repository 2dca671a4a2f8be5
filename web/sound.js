// @ts-check
/** Everything that sounds: the loudspeaker with the replies, the microphone, and how both travel. */

import { createEar } from "./ear.js";
import { audioAllowed } from "./microphone.js";
import { opusWorks } from "./opus-codec.js";
import { REPLAY, soundOf } from "./replay.js";
import { createReplies } from "./replies.js";
import { createSpeaker } from "./speaker.js";
import { createUplink } from "./uplink.js";

/** @typedef {import("./protocol.js").WireEvent} WireEvent */

/**
 * @param {object} ports
 * @param {(sound: Int16Array | Uint8Array) => void} ports.send samples of the microphone, or a piece of Opus
 * @param {(samples: Int16Array) => void} ports.heard
 * @param {() => void} ports.lost the microphone is gone
 * @param {(report: { item_id: string, audio_end_ms: number, done: boolean }) => void} ports.played
 * @param {() => void} ports.configure how sound is to travel has changed
 * @param {Pick<import("./client.js").Ports, "changed" | "notify" | "settle">} ports.page
 * @param {import("./settings.js").Settings} settings read whenever they are needed
 */
export function createSound({ send, heard, lost, played, configure, page }, settings) {
  const { changed, notify, settle } = page;
  let loudness = 0;
  /** It was to be woken, and could not be. */
  let failed = false;
  /** Whether the browser has an Opus that can be relied on; null while that is tried out. @type {boolean | null} */
  let opus = null;
  void opusWorks().then((works) => {
    opus = works;
    configure();
  });

  /** @param {unknown} error */
  function doWithoutOpus(error) {
    if (!opus) return;
    console.info("sound travels uncompressed", error);
    opus = false;
    configure();
  }

  const speaker = createSpeaker({
    onPlayed({ itemId, ms, done }) {
      if (itemId.startsWith(REPLAY)) changed();
      else played({ item_id: itemId, audio_end_ms: ms, done });
    },
    onLevel(level) {
      loudness = level;
      changed();
    },
    onState(state) {
      if (state === "running") settle("notice.sound_interrupted");
      else if (state === "interrupted") notify("notice.sound_interrupted");
    },
    onUndecoded: doWithoutOpus,
  });
  const uplink = createUplink({ send, onFail: doWithoutOpus });
  const ear = createEar(speaker, settings, { heard, lost });

  return {
    speaker,
    ear,
    replies: createReplies(speaker),

    /** Whether sound is to travel as Opus; null: that is not known yet. */
    get compressed() {
      return opus === null ? null : opus && settings.compress;
    },
    /** The server says how it does. @param {WireEvent["session"]} told */
    agree(told) {
      uplink.compress(told?.audio?.input?.format?.type === "audio/opus");
    },
    get levels() {
      return { microphone: ear.level, speaker: loudness };
    },
    /** How far the listener is in which item, in ms; a turn that is played again counts as itself. */
    get position() {
      const at = speaker.position;
      return at && { itemId: at.itemId.replace(REPLAY, ""), ms: at.ms };
    },
    /** A turn is played again. */
    get replaying() {
      return speaker.position?.itemId.startsWith(REPLAY) ?? false;
    },

    /** The browser wants a touch before anything sounds; where sound has failed, that has been said. */
    get blocked() {
      return speaker.blocked && !failed;
    },

    /** Wake it, inside a gesture. Replies are still written if that fails. */
    unlock() {
      if (!audioAllowed()) return;
      speaker.useDevice(settings.speaker);
      speaker.unlock().then(
        () => {
          if (failed) settle("notice.sound_failed");
          failed = false;
        },
        (error) => {
          failed = true;
          console.info("the sound could not be started", error);
          notify("notice.sound_failed");
        },
      );
    },
    /** The server is there again: without it the sound cannot have been started. */
    recover() {
      if (failed) this.unlock();
    },

    /** @param {Int16Array} samples that were heard, and are meant for the server */
    send: uplink.send,
    /** Resolves when all that was heard has been sent. */
    async drain() {
      await ear.drain();
      await uplink.drain();
    },
    /** What was heard and has not been sent is not wanted any more. */
    forget: uplink.restart,

    /** Silence, at once; what was heard of the reply in progress. */
    async stop() {
      const stopped = await speaker.stop();
      return stopped?.itemId.startsWith(REPLAY) ? null : stopped;
    },

    /** Play a turn again. @param {WireEvent["item"]} item as it was retrieved */
    replay(item) {
      const sound = soundOf(item);
      if (!sound) return notify("notice.replay_gone", { passing: true });
      void speaker.stop();
      speaker.push(REPLAY + item.id, sound);
      speaker.finish(REPLAY + item.id);
    },
  };
}
