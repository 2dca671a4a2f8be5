// @ts-check
/**
 * The button of a headset as a talk button. The system gives media keys only to a page that plays
 * something, so while it is switched on a silent sound is played over and over; that is why it is a choice.
 */

/** Seconds: Chromium counts only what lasts longer than five as media. */
const SILENCE = 10;

/** @param {() => void} toggle a press: begins to talk, or ends it */
export function createHeadset(toggle) {
  /** @type {HTMLAudioElement | null} */
  let player = null;
  const { mediaSession } = navigator;

  return {
    /** Call inside a user's gesture. @param {boolean} on */
    async use(on) {
      if (!mediaSession || on === (player !== null)) return;
      for (const action of /** @type {const} */ (["play", "pause"])) {
        mediaSession.setActionHandler(action, on ? pressed : null);
      }
      if (on) {
        player = new Audio(URL.createObjectURL(silence()));
        player.loop = true;
        // It is played at the next gesture where this was none.
        await player.play().catch(() => (player = null));
      } else {
        player?.pause();
        if (player) URL.revokeObjectURL(player.src);
        player = null;
      }
    },
  };

  function pressed() {
    void player?.play();
    mediaSession.playbackState = "playing";
    toggle();
  }
}

/** A WAV file of silence: 8000 samples a second, 8 bits. */
function silence() {
  const samples = 8000 * SILENCE;
  const header = new DataView(new ArrayBuffer(44));
  const write = (/** @type {number} */ at, /** @type {string} */ text) =>
    [...text].forEach((letter, i) => header.setUint8(at + i, letter.charCodeAt(0)));
  write(0, "RIFF");
  header.setUint32(4, 36 + samples, true);
  write(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true);
  header.setUint16(22, 1, true);
  header.setUint32(24, 8000, true);
  header.setUint32(28, 8000, true);
  header.setUint16(32, 1, true);
  header.setUint16(34, 8, true);
  write(36, "data");
  header.setUint32(40, samples, true);
  return new Blob([header, new Uint8Array(samples).fill(128)], { type: "audio/wav" });
}
