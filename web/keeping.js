// @ts-check
/** Which conversation of the server's what is said is kept in; `conversation.attach` and its answers. */

/**
 * @param {object} ports
 * @param {(event: import("./protocol.js").WireEvent) => boolean} ports.send
 * @param {(id: string | null) => void} ports.kept it is another one now
 * @param {() => void} ports.lost the one that was wanted is not there
 * @param {string | null | undefined} wanted undefined: nothing is to be kept; null: in a new one
 */
export function createKeeping({ send, kept, lost }, wanted) {
  let on = wanted !== undefined;
  let id = wanted ?? null;
  let ephemeral = false;
  /** Those asked for whose `conversation.attached` has not come. @type {(string | null)[]} */
  let asked = [];

  function attach() {
    if (!on) return;
    const which = id === null ? { ephemeral } : { conversation_id: id };
    if (send({ type: "conversation.attach", ...which })) asked.push(id);
  }

  return {
    get on() {
      return on;
    },
    /** null: a new one, which begins with the first words. */
    get id() {
      return id;
    },
    get ephemeral() {
      return ephemeral;
    },

    attach,

    /** From now on in another one. @param {string | null} other @param {{ ephemeral?: boolean }} [how] */
    move(other, how = {}) {
      id = other;
      ephemeral = how.ephemeral ?? false;
      attach();
    },

    /** It is this one, which was made elsewhere for what is said here. @param {string} made */
    become(made) {
      id = made;
    },

    /** A new session has no conversation yet. */
    renew() {
      asked = [];
      attach();
    },

    /** @param {string | null} which as `conversation.attached` says */
    attached(which) {
      if (asked.length > 0) {
        // Another one: the last words in the conversation before have made one of it.
        if (asked[0] === which) asked.shift();
        return;
      }
      id = which;
      kept(id);
    },

    /** Whether an error of this code was about this. @param {string | undefined} code */
    refused(code) {
      if (code === "not_stored") on = false;
      else if (code !== "not_found" || asked.length === 0) return false;
      else {
        asked.shift();
        id = null;
        lost();
        kept(null);
        attach();
      }
      return true;
    },
  };
}
