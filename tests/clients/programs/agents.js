// The npm package `@openai/agents-realtime`: `RealtimeAgent` and `RealtimeSession`.

import { RealtimeAgent, RealtimeSession, tool } from "@openai/agents-realtime";
import { z } from "zod";
import { INSTRUCTIONS, STORY, TYPED, VOICE, WEBSOCKET, perform, speak } from "./stage.js";

/** @type {string[]} */
const called = [];
const weather = tool({
  name: "weather",
  description: "What the weather is like in a city.",
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => {
    called.push("weather");
    return `It is sunny and warm in ${city}.`;
  },
});

/** Connect; settles once the session is as it was asked to be. */
async function run(/** @type {any} */ config = {}, /** @type {any[]} */ tools = []) {
  const agent = new RealtimeAgent({ name: "Guide", instructions: INSTRUCTIONS, tools });
  const session = new RealtimeSession(agent, {
    transport: "websocket",
    model: "vivavoce",
    config: { voice: VOICE, ...config },
  });
  const ears = new Ears(session);
  await session.connect({
    url: `${WEBSOCKET}/v1/realtime?model=vivavoce`,
    apiKey: "none",
  });
  return ears;
}

const PUSH_TO_TALK = {
  audio: { input: { turnDetection: null, transcription: { model: "whisper-base" } } },
};

/** Follows a session and keeps what a program would want of it. */
class Ears {
  /** @type {Buffer[]} */
  audio = [];
  /** @type {any[]} */
  events = [];
  interrupted = false;
  wake = () => {};

  constructor(/** @type {RealtimeSession} */ session) {
    this.session = session;
    session.on("audio", ({ data }) => this.audio.push(Buffer.from(data)));
    session.on("audio_interrupted", () => (this.interrupted = true));
    session.on("error", () => {}); // it comes as a transport event, too
    session.on("transport_event", (event) => {
      this.events.push(event);
      this.wake();
    });
  }

  /** The next event of this type; the ones before it are passed over. */
  async until(/** @type {string} */ kind) {
    for (;;) {
      while (this.events.length) {
        const event = this.events.shift();
        if (event.type === kind) return event;
      }
      await new Promise((done) => (this.wake = () => done(null)));
    }
  }

  /** What the newest message of this role says. */
  said(/** @type {string} */ role) {
    const items = this.session.history.filter((i) => i.type === "message" && i.role === role);
    const [part] = /** @type {any} */ (items.at(-1))?.content ?? [];
    return part?.transcript ?? part?.text ?? "";
  }

  /** Listen to a whole reply. */
  async hearReply() {
    await this.until("response.done");
    const reply = this.said("assistant");
    const audio = Buffer.concat(this.audio);
    return { transcript: this.said("user"), reply, text: reply, audio };
  }

  say(/** @type {string} */ name, after = 1.0) {
    const send = (/** @type {Buffer} */ pcm) => this.session.sendAudio(new Uint8Array(pcm).buffer);
    return speak(name, send, after);
  }

  async close() {
    this.session.close();
  }
}

/** Open a session, do something with it, and close it. */
const during =
  (
    /** @type {any} */ config,
    /** @type {(ears: Ears) => Promise<any>} */ act,
    /** @type {any[]} */ tools = [],
  ) =>
  async () => {
    const ears = await run(config, tools);
    const report = await act(ears);
    await ears.close();
    return report;
  };

await perform({
  connect: during({}, async (ears) => {
    for (;;) {
      const { session } = await ears.until("session.updated");
      if (session.instructions === INSTRUCTIONS) {
        return { instructions: session.instructions, voice: session.audio.output.voice };
      }
    }
  }),

  spoken: during({}, async (ears) => {
    await ears.say("question");
    return ears.hearReply();
  }),

  push_to_talk: during(PUSH_TO_TALK, async (ears) => {
    await ears.say("question", 0.1);
    ears.session.sendAudio(new ArrayBuffer(960), { commit: true });
    ears.session.transport.sendEvent({ type: "response.create" });
    return ears.hearReply();
  }),

  typed: during({ outputModalities: ["text"] }, async (ears) => {
    ears.session.sendMessage(TYPED);
    return ears.hearReply();
  }),

  function: during(
    {},
    async (ears) => {
      ears.session.sendMessage("What is the weather in Paris?");
      await ears.until("response.done");
      return { ...(await ears.hearReply()), name: called[0] };
    },
    [weather],
  ),

  interruption: during({}, async (ears) => {
    ears.session.sendMessage(STORY);
    while (Buffer.concat(ears.audio).length < 48_000) await ears.until("response.output_audio.delta");
    await ears.say("stop");
    await ears.until("conversation.item.truncated");
    return { interrupted: ears.interrupted };
  }),

  cancel: during({}, async (ears) => {
    ears.session.sendMessage(STORY);
    await ears.until("response.output_audio.delta");
    ears.session.interrupt();
    const done = await ears.until("response.done");
    return { cancelled: done.response.status === "cancelled" };
  }),

  error: during({ outputModalities: ["text"] }, async (ears) => {
    ears.session.transport.sendEvent({
      type: "conversation.item.retrieve",
      item_id: "item_of_nobody",
    });
    const refused = await ears.until("error");
    ears.session.sendMessage(TYPED);
    return { code: refused.error.code, ...(await ears.hearReply()) };
  }),

  close: during({}, async (ears) => {
    await ears.until("session.updated");
    return {};
  }),
});
