// @ts-check
/** What becomes of a conversation whose line is lost: it waits, goes on, or begins anew. */

/**
 * @param {object} ports
 * @param {Pick<import("./client.js").Ports, "greeted" | "lost" | "changed">} ports.page
 * @param {() => void} ports.abandon what was being said is lost
 * @param {() => void} ports.finish no more comes of the reply that sounds
 * @param {() => void} ports.configure
 * @param {() => boolean} ports.isKept what was said is known to the server in any session
 * @param {(event: import("./protocol.js").WireEvent) => void} ports.dispatch
 */
export function createContinuity({ page, abandon, finish, configure, isKept, dispatch }) {
  /** @type {"connecting" | "online" | "offline"} */
  let line = "connecting";
  /** A session has been lost, or may yet go on. */
  let interrupted = false;

  return {
    get line() {
      return line;
    },

    /** The line is gone; what there is of a reply plays on. @param {Parameters<typeof page.lost>[0]} reason */
    lose(reason) {
      line = "offline";
      interrupted = true;
      page.lost(reason);
      page.changed();
    },

    /**
     * The line is back, and the session goes on as if nothing had been; but what was being said is over
     * if it is `restored`.
     * @param {{ restored: boolean }} how
     */
    resume({ restored }) {
      line = "online";
      interrupted = false;
      if (restored) {
        abandon();
        finish();
        dispatch({ type: "local.restored" });
        configure();
      }
      page.greeted();
      page.changed();
    },

    /** A session begins; one that came before it is gone, and this one knows nothing of it. */
    begin() {
      line = "online";
      if (!interrupted) return;
      interrupted = false;
      abandon();
      finish();
      // What is kept is known to the new session too, once it is attached.
      dispatch({ type: isKept() ? "local.attached" : "local.lost" });
    },
  };
}
