// @ts-check
/**
 * Messages that go to the server by HTTP: those with files, and all while nothing is spoken. They are shown
 * at once; what could not be sent says why, and can be sent again or taken back.
 */

import { BLANK } from "./conversation.js";
import { ApiError, ask, converse, newId } from "./library-api.js";
import { itemOf } from "./library-items.js";
import { messageId } from "./stored.js";

/** @typedef {import("./conversation.js").Item} Item */
/** @typedef {{ path: () => string, body: object, key: string, question: Item | null, answer: string }} Attempt */

const POLL_MS = 1000;

/**
 * @param {object} ports
 * @param {import("./client.js").Client} ports.client
 * @param {import("./settings.js").Settings} ports.settings
 * @param {() => Promise<void>} ports.begin make sure that there is a conversation
 * @param {() => void} ports.stored
 * @param {() => Promise<void>} ports.reload show what is stored: what was shown in advance is not
 * @param {(error: unknown) => void} ports.fail
 */
export function createSending({ client, settings, begin, stored, reload, fail }) {
  /** @type {Map<string, Attempt>} */
  const unsent = new Map();
  /** The answer that is on its way. */
  let running = "";

  const messages = () => `/conversations/${client.kept.id}/messages`;
  /** @param {Item} item */
  const put = (item) => client.dispatch({ type: "local.put", item });
  /** @param {readonly string[]} ids */
  const take = (ids) => client.dispatch({ type: "local.taken", ids });

  /** @param {string} kind @param {any} data */
  function hear(kind, data) {
    if (kind === "message.started") {
      if (data.message) put(itemOf(data.message));
      put(itemOf(data.answer));
    } else if (kind === "message.delta") {
      client.dispatch({ type: "local.more", item_id: data.message_id, delta: data.text });
    } else if (kind === "message.done") put(itemOf(data.answer));
    else if (kind === "message.failed") put({ ...itemOf(data.answer), trouble: data.code });
  }

  /** @param {Attempt} attempt */
  async function run(attempt) {
    const { question, answer } = attempt;
    running = answer;
    let started = false;
    if (question) put(question);
    put({ ...BLANK, id: answer, role: "assistant", created: new Date().toISOString() });
    client.dispatch({ type: "local.asked" });
    try {
      await begin();
      await converse(attempt.path(), attempt.body, attempt.key, (kind, data) => {
        started ||= kind === "message.started";
        hear(kind, data);
      });
    } catch (error) {
      if (started) await follow(answer);
      else {
        take([answer]);
        if (!question) {
          fail(error);
          await reload();
        } else {
          unsent.set(question.id, attempt);
          put({ ...question, trouble: error instanceof ApiError ? error.code : "internal_error" });
        }
      }
    } finally {
      running = "";
      client.dispatch({ type: "local.dropped" });
    }
    if (!client.conversation.items.some(({ id, role, trouble }) => role === "user" && trouble && unsent.has(id))) {
      // The voice session goes on from here.
      client.reattach();
      stored();
    }
  }

  /** The stream broke off: the answer is written on all the same. @param {string} id */
  async function follow(id) {
    for (;;) {
      try {
        const message = await ask("GET", `${messages()}/${id}`);
        put(itemOf(message));
        if (message.status !== "streaming") return;
      } catch (error) {
        if (error instanceof ApiError && error.status !== 0) return fail(error);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** @param {string} text @param {Item["files"]} files @returns {Item} */
  const asked = (text, files) => ({
    ...BLANK,
    id: newId("msg"),
    role: "user",
    text,
    files,
    final: true,
    created: new Date().toISOString(),
  });

  /** What follows an item, and it. @param {string} id */
  function since(id) {
    const { items } = client.conversation;
    const index = items.findIndex((item) => item.id === id);
    return index < 0 ? [] : items.slice(index).map((item) => item.id);
  }

  return {
    get busy() {
      return running !== "";
    },

    /** @param {string} text @param {Item["files"]} files */
    send(text, files) {
      const question = asked(text, files);
      const answer = newId("msg");
      const body = {
        text,
        id: question.id,
        answer_id: answer,
        attachments: files.map(({ id }) => id),
        model: settings.model,
      };
      return run({ path: messages, body, key: question.id, question, answer });
    },

    /** @param {Item} item @param {string} text */
    edit(item, text) {
      const question = asked(text, item.files);
      const answer = newId("msg");
      const attachments = item.files.map(({ id }) => id);
      const body = { text, id: question.id, answer_id: answer, attachments, model: settings.model };
      take(since(item.id));
      return run({ path: () => `${messages()}/${messageId(item.id)}/edit`, body, key: question.id, question, answer });
    },

    /** @param {string} id */
    regenerate(id) {
      const answer = newId("msg");
      const body = { answer_id: answer, model: settings.model };
      take(since(id));
      return run({
        path: () => `${messages()}/${messageId(id)}/regenerate`,
        body,
        key: answer,
        question: null,
        answer,
      });
    },

    /** @param {string} id */
    retry(id) {
      const attempt = unsent.get(id);
      if (!attempt || running) return;
      unsent.delete(id);
      void run({ ...attempt, question: attempt.question && { ...attempt.question, trouble: "" } });
    },

    /** What was not sent is taken off the screen. @param {string} id @returns {Item | null} it */
    takeBack(id) {
      const question = unsent.get(id)?.question ?? null;
      unsent.delete(id);
      take([id]);
      return question;
    },

    async stop() {
      if (running) await ask("POST", `${messages()}/${running}/stop`, {}).catch(() => undefined);
    },
  };
}
