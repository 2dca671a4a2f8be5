// @ts-check
/**
 * Messages that go to the server by HTTP: those with files, and all while nothing is spoken. They are shown
 * at once; what could not be sent says why, and can be sent again or taken back.
 */

import { toldOf } from "./calls.js";
import { BLANK } from "./items.js";
import { ApiError, ask, newId } from "./library-api.js";
import { itemOf } from "./library-items.js";
import { converse, follow } from "./library-stream.js";
import { messageId } from "./stored.js";

/** @typedef {import("./items.js").Item} Item */
/** @typedef {{ path: () => string, body: object, key: string, question: Item | null, answer: string }} Attempt */
/** @typedef {{ answer: string, leaving: AbortController }} Running an answer that is on its way */

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
  /** @type {Running | null} */
  let running = null;

  const messages = () => `/conversations/${client.kept.id}/messages`;
  /** @param {Item} item */
  const put = (item) => client.dispatch({ type: "local.put", item });
  /** @param {readonly string[]} ids */
  const take = (ids) => client.dispatch({ type: "local.taken", ids });

  /** @param {string} kind @param {any} data */
  function hear(kind, data) {
    const told = toldOf(kind, data);
    if (kind === "message.started") {
      if (data.message) put(itemOf(data.message));
      put(itemOf(data.answer));
    } else if (kind === "message.delta") {
      client.dispatch({ type: "local.more", item_id: data.message_id, delta: data.text });
    } else if (kind === "message.done") put(itemOf(data.answer));
    else if (kind === "message.failed") put({ ...itemOf(data.answer), trouble: data.code });
    else if (told) {
      client.dispatch({ type: "local.call", item_id: data.message_id, call: told });
      if (kind === "tool.answered") void fetchOutput(data);
    }
  }

  /** What a tool gave is a message of its own. @param {any} answered */
  async function fetchOutput({ conversation_id: conversation, message_id: answer, call_id: id, output_id: output }) {
    try {
      const { text } = await ask("GET", `/conversations/${conversation}/messages/${output}`);
      client.dispatch({ type: "local.call", item_id: answer, call: { id, output: text } });
    } catch {
      // It is shown when the conversation is opened again.
    }
  }

  /**
   * Be the one who hears of an answer, until it ends or the page turns to another conversation.
   * @param {string} answer
   * @param {(heard: typeof hear, signal: AbortSignal) => Promise<void>} listen
   */
  async function attend(answer, listen) {
    const mine = (running = { answer, leaving: new AbortController() });
    const { signal } = mine.leaving;
    client.dispatch({ type: "local.asked" });
    try {
      await listen((kind, data) => signal.aborted || hear(kind, data), signal);
    } finally {
      if (running === mine) running = null;
      if (!signal.aborted) client.dispatch({ type: "local.dropped" });
    }
    return !signal.aborted;
  }

  /** @param {Attempt} attempt */
  async function run(attempt) {
    const { question, answer } = attempt;
    if (question) put(question);
    put({ ...BLANK, id: answer, role: "assistant", created: new Date().toISOString() });
    const here = await attend(answer, (heard, signal) => converseOrFollow(attempt, heard, signal));
    const failed = client.conversation.items.some(({ id, role, trouble }) => role === "user" && trouble && unsent.has(id));
    if (here && !failed) goOn();
  }

  /**
   * @param {Attempt} attempt
   * @param {typeof hear} heard
   * @param {AbortSignal} signal
   */
  async function converseOrFollow(attempt, heard, signal) {
    const { answer } = attempt;
    let path = "";
    let started = false;
    try {
      await begin();
      if (signal.aborted) return;
      path = `${messages()}/${answer}`;
      await converse(
        attempt.path(),
        attempt.body,
        attempt.key,
        (kind, data) => {
          if (kind === "message.started") started = true;
          heard(kind, data);
        },
        signal,
      );
    } catch (error) {
      if (signal.aborted) return;
      // The stream broke off: the answer is written on all the same.
      if (started) await follow(path, heard, signal).catch(fail);
      else await giveUp(attempt, error);
    }
  }

  /** @param {Attempt} attempt @param {unknown} error */
  async function giveUp(attempt, error) {
    const { question, answer } = attempt;
    take([answer]);
    if (!question) {
      fail(error);
      return reload();
    }
    unsent.set(question.id, attempt);
    put({ ...question, trouble: error instanceof ApiError ? error.code : "internal_error" });
  }

  /** The voice session goes on from here. */
  function goOn() {
    client.reattach();
    stored();
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
      return running !== null;
    },

    /** An answer that somebody asked for before, or elsewhere, is still being written. @param {string} answer */
    async join(answer) {
      if (running?.answer === answer) return;
      const path = `${messages()}/${answer}`;
      const here = await attend(answer, (heard, signal) => follow(path, heard, signal).catch(fail));
      if (here) goOn();
    },

    /** Another conversation is shown from now on; the answer is written on by the server. */
    leave() {
      running?.leaving.abort();
      running = null;
    },

    /** The user's word on a tool; false if it could not be said. @param {string} answer @param {string} call @param {string} allow */
    async decide(answer, call, allow) {
      try {
        await ask("POST", `${messages()}/${answer}/calls/${call}`, { allow });
      } catch (error) {
        // Somebody has answered on another page, or it is too late: the stream tells.
        const late = error instanceof ApiError && (error.status === 404 || error.code === "not_running");
        if (!late) fail(error);
        return late;
      }
      return true;
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
      if (running) await ask("POST", `${messages()}/${running.answer}/stop`, {}).catch(() => undefined);
    },
  };
}
