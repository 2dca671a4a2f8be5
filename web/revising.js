// @ts-check
/** What is said differently, again, or in another conversation. */

import { knownItems } from "./conversation.js";

/**
 * @param {object} parts
 * @param {() => import("./conversation.js").Conversation} parts.conversation
 * @param {Pick<ReturnType<typeof import("./session.js").connect>, "send" | "restart">} parts.session
 * @param {Pick<ReturnType<typeof import("./talk.js").createTalk>, "stopReply" | "say">} parts.talk
 * @param {ReturnType<typeof import("./keeping.js").createKeeping>} parts.keeping
 * @param {Pick<ReturnType<typeof import("./attention.js").createAttention>, "drop" | "sleep">} parts.attention
 * @param {(event: import("./protocol.js").WireEvent) => void} parts.dispatch
 * @param {() => void} parts.configure
 */
export function createRevising({ conversation, session, talk, keeping, attention, dispatch, configure }) {
  /** Take items out, on the server too. @param {readonly { id: string }[]} items */
  function forget(items) {
    for (const { id } of items) session.send({ type: "conversation.item.delete", item_id: id });
  }

  /** @param {string} id */
  function since(id) {
    const items = knownItems(conversation());
    const index = items.findIndex((item) => item.id === id);
    return index < 0 ? [] : items.slice(index);
  }

  return {
    /**
     * Say something else than was said in turn `id`: it and what followed are taken out.
     * @param {string} id
     * @param {string} text
     */
    async resend(id, text) {
      await talk.stopReply();
      forget(since(id));
      return talk.say(text);
    },

    /** Answer again: reply `id` and what followed are taken out. @param {string} id */
    async regenerate(id) {
      await talk.stopReply();
      forget(since(id));
      if (session.send({ type: "response.create" })) dispatch({ type: "local.asked" });
    },

    /** Another conversation: an empty one. What is kept stays where it is. */
    async clear({ ephemeral = false } = {}) {
      await talk.stopReply();
      if (!keeping.on) forget(knownItems(conversation()));
      attention.sleep();
      dispatch({ type: "local.cleared" });
      keeping.move(null, { ephemeral });
      configure();
    },

    /** Another session, which knows nothing of this one. The server forgets this one. */
    async begin() {
      await talk.stopReply();
      attention.sleep();
      dispatch({ type: "local.cleared" });
      dispatch({ type: "local.lost" });
      session.restart();
    },

    /**
     * Go on with a conversation that is kept.
     * @param {string} id
     * @param {readonly import("./conversation.js").Item[]} items what is shown of it
     */
    async open(id, items) {
      await talk.stopReply();
      attention.drop();
      dispatch({ type: "local.opened", items });
      keeping.move(id);
    },

    /** What was said elsewhere, in the conversation that is kept: let the session know it. */
    reattach() {
      dispatch({ type: "local.attached" });
      keeping.attach();
    },
  };
}
