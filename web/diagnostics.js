// @ts-check
/**
 * `window.vivavoce`: read-only facts for tests in a browser and for reports of trouble. Nothing in the
 * page reads them, and nothing can be changed through them.
 *
 *   state        the phase shown: connecting, offline, ready, listening, hearing, thinking, speaking,
 *                asleep, muted
 *   mode         how the user talks: hold, free, text
 *   turns        [{ role, text, final, interrupted, playedSeconds, played }] in order
 *   playedSeconds  reply audio handed to the loudspeaker, all turns together
 *   peak         the loudest sample handed to the loudspeaker, 0 to 1
 *   underruns    times a reply ran dry before it was complete
 *   jitterMs     what the jitter buffer waits for at present
 *   dropped      { microphone: frames the line could not take, stale: reply frames of dead turns,
 *                  overflow: reply samples that did not fit }
 */

/**
 * @param {() => {
 *   phase: string,
 *   mode: string,
 *   conversation: import("./conversation.js").Conversation,
 *   speaker: { underruns: number, overflow: number, peak: number, targetMs: number },
 *   stale: number,
 *   unsent: number,
 * }} look
 */
export function offerDiagnostics(look) {
  const facts = Object.freeze({
    get state() {
      return look().phase;
    },
    get mode() {
      return look().mode;
    },
    get turns() {
      return look()
        .conversation.items.filter((item) => item.role !== "resumed")
        .map(({ role, text, final, interrupted, playedMs, played }) => ({
          role,
          text,
          final,
          interrupted,
          playedSeconds: playedMs / 1000,
          played,
        }));
    },
    get playedSeconds() {
      return look().conversation.items.reduce((sum, item) => sum + item.playedMs, 0) / 1000;
    },
    get peak() {
      return look().speaker.peak;
    },
    get underruns() {
      return look().speaker.underruns;
    },
    get jitterMs() {
      return look().speaker.targetMs;
    },
    get dropped() {
      const { unsent, stale, speaker } = look();
      return { microphone: unsent, stale, overflow: speaker.overflow };
    },
  });
  Object.defineProperty(window, "vivavoce", { value: facts });
}
