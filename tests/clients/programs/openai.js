// The npm package `openai`: `OpenAIRealtimeWS`, which speaks TLS only.

import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { INSTRUCTIONS, STORY, TYPED, URL_ROOT, VOICE, perform, speak } from "./stage.js";

const TRANSCRIBED = {
  type: "realtime",
  audio: { input: { transcription: { model: "whisper-base" } } },
};
const PUSH_TO_TALK = {
  type: "realtime",
  audio: { input: { transcription: {}, turn_detection: null } },
};
const WRITTEN = { type: "realtime", output_modalities: ["text"] };
const WEATHER = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};

/** Connects, and keeps what a program would want of the conversation. */
class Ears {
  transcript = "";
  reply = "";
  text = "";
  itemId = "";
  /** @type {Buffer[]} */
  audio = [];
  /** @type {any[]} */
  events = [];
  wake = () => {};

  constructor() {
    const client = new OpenAI({ baseURL: `${URL_ROOT}/v1`, apiKey: "none" });
    this.realtime = new OpenAIRealtimeWS({ model: "vivavoce" }, client);
    this.realtime.on("event", (event) => this.note(event));
    this.realtime.on("error", () => {}); // it comes as an event, too
  }

  /** Wait until the socket is open, and change the session. */
  async open(/** @type {any} */ session) {
    await this.until("session.created");
    if (session) this.send({ type: "session.update", session });
    return this;
  }

  note(/** @type {any} */ event) {
    if (event.type === "conversation.item.input_audio_transcription.completed") {
      this.transcript = event.transcript;
    } else if (event.type === "response.output_audio.delta") {
      this.itemId = event.item_id;
      this.audio.push(Buffer.from(event.delta, "base64"));
    } else if (event.type === "response.output_audio_transcript.done") {
      this.reply = event.transcript;
    } else if (event.type === "response.output_text.done") {
      this.text = event.text;
    }
    this.events.push(event);
    this.wake();
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

  /** Listen to a whole reply. */
  async hearReply() {
    const done = await this.until("response.done");
    const { transcript, reply, text } = this;
    const audio = Buffer.concat(this.audio);
    return { status: done.response.status, transcript, reply, text, audio };
  }

  send(/** @type {any} */ event) {
    this.realtime.send(event);
  }

  say(/** @type {string} */ name, after = 1.0) {
    const append = (/** @type {Buffer} */ pcm) =>
      this.send({ type: "input_audio_buffer.append", audio: pcm.toString("base64") });
    return speak(name, append, after);
  }

  write(/** @type {string} */ text) {
    const content = [{ type: "input_text", text }];
    const item = { type: "message", role: "user", content };
    this.send({ type: "conversation.item.create", item });
    this.send({ type: "response.create" });
  }

  async close() {
    const closed = new Promise((done) => this.realtime.socket.on("close", done));
    this.realtime.close();
    await closed;
  }
}

/** Open a session, do something with it, and close it. */
const during =
  (/** @type {any} */ session, /** @type {(ears: Ears) => Promise<any>} */ act) => async () => {
    const ears = await new Ears().open(session);
    const report = await act(ears);
    await ears.close();
    return report;
  };

const tool = { type: "function", name: "weather", parameters: WEATHER };

await perform({
  connect: during(
    { type: "realtime", instructions: INSTRUCTIONS, audio: { output: { voice: VOICE } } },
    async (ears) => {
      const { session } = await ears.until("session.updated");
      return { instructions: session.instructions, voice: session.audio.output.voice };
    },
  ),

  spoken: during(TRANSCRIBED, async (ears) => {
    await ears.say("question");
    return ears.hearReply();
  }),

  push_to_talk: during(PUSH_TO_TALK, async (ears) => {
    await ears.say("question", 0.1);
    ears.send({ type: "input_audio_buffer.commit" });
    ears.send({ type: "response.create" });
    return ears.hearReply();
  }),

  typed: during(WRITTEN, async (ears) => {
    ears.write(TYPED);
    return ears.hearReply();
  }),

  function: during({ ...TRANSCRIBED, tools: [tool] }, async (ears) => {
    ears.write("What is the weather in Paris?");
    const done = await ears.until("response.done");
    const [call] = done.response.output;
    const output = `It is sunny and warm in ${JSON.parse(call.arguments).city}.`;
    const item = { type: "function_call_output", call_id: call.call_id, output };
    ears.send({ type: "conversation.item.create", item });
    ears.send({ type: "response.create" });
    return { name: call.name, ...(await ears.hearReply()) };
  }),

  interruption: during(TRANSCRIBED, async (ears) => {
    ears.write(STORY);
    while (Buffer.concat(ears.audio).length < 48_000) await ears.until("response.output_audio.delta");
    const itemId = ears.itemId;
    await ears.say("stop");
    const done = await ears.until("response.done");
    ears.send({
      type: "conversation.item.truncate",
      item_id: itemId,
      content_index: 0,
      audio_end_ms: 800,
    });
    await ears.until("conversation.item.truncated");
    ears.send({ type: "conversation.item.retrieve", item_id: itemId });
    await ears.until("conversation.item.retrieved");
    return { interrupted: done.response.status === "cancelled" };
  }),

  cancel: during(null, async (ears) => {
    ears.write(STORY);
    await ears.until("response.output_audio.delta");
    ears.send({ type: "response.cancel" });
    const done = await ears.until("response.done");
    return { cancelled: done.response.status === "cancelled" };
  }),

  error: during(WRITTEN, async (ears) => {
    ears.send({ type: "conversation.item.retrieve", item_id: "item_of_nobody", event_id: "mine" });
    const refused = await ears.until("error");
    ears.write(TYPED);
    return { code: refused.error.code, ...(await ears.hearReply()) };
  }),

  close: during(null, async () => ({})),
});
