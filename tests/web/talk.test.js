/** Push-to-talk, hands-free, typing and interrupting, over ports that write down what they are told. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createTalk } from "../../web/talk.js";

const frame = (value, count = 480) => new Int16Array(count).fill(value);

/** A talk with everything in order; `change` replaces ports or facts. */
function setUp(change = {}) {
  const log = [];
  const facts = { online: true, replying: false, sounding: false, stopped: null, ...change.facts };
  const ports = {
    send(event) {
      if (facts.online) log.push(event.type);
      return facts.online;
    },
    sendAudio: (samples) => log.push(samples[0]),
    openMicrophone: async () => {},
    drainMicrophone: async () => {},
    stopPlayback: async () => facts.stopped,
    replying: () => facts.replying,
    sounding: () => facts.sounding,
    dropReply: () => log.push("drop"),
    configure: () => log.push("configure"),
    asked: () => log.push("asked"),
    notify: (notice) => log.push(`notice ${notice}`),
    fail: (error) => log.push(`fail ${error.message}`),
    changed() {},
    ...change.ports,
  };
  return { talk: createTalk(ports), log, facts };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

test("a held button: the last 160 ms before it, then what is said, commit, answer", async () => {
  const { talk, log } = setUp();
  for (let i = 1; i <= 10; i++) talk.hear(frame(i));
  talk.press();
  await settle();
  assert.ok(talk.held && talk.streaming);
  for (let i = 11; i <= 20; i++) talk.hear(frame(i));
  await talk.release();
  talk.hear(frame(99));
  assert.deepEqual(log, [
    "input_audio_buffer.clear",
    ...Array.from({ length: 18 }, (_, i) => i + 3),
    "input_audio_buffer.commit",
    "response.create",
    "asked",
  ]);
});

test("what was captured up to the release is sent before the commit", async () => {
  const { talk, log } = setUp({ ports: { drainMicrophone: async () => talk.hear(frame(7, 100)) } });
  talk.press();
  await settle();
  for (let i = 0; i < 10; i++) talk.hear(frame(1));
  await talk.release();
  assert.deepEqual(log.slice(-4), [7, "input_audio_buffer.commit", "response.create", "asked"]);
});

test("a slip of the finger asks for nothing", async () => {
  const { talk, log } = setUp();
  talk.press();
  await settle();
  for (let i = 0; i < 9; i++) talk.hear(frame(1));
  await talk.release();
  assert.deepEqual(log.slice(-2), ["input_audio_buffer.clear", "notice too_short"]);
  assert.ok(!log.includes("response.create"));
});

test("a press interrupts: silence first, then cancel, where it was cut, and a clean start", async () => {
  const { talk, log } = setUp({
    facts: { replying: true, sounding: true, stopped: { itemId: "a", ms: 1250 } },
  });
  talk.press();
  await settle();
  assert.deepEqual(log, [
    "drop",
    "response.cancel",
    "conversation.item.truncate",
    "input_audio_buffer.clear",
  ]);
});

test("a reply that is complete but still plays is cut without a cancel", async () => {
  const { talk, log } = setUp({ facts: { sounding: true, stopped: { itemId: "a", ms: 1 } } });
  await talk.stopReply();
  assert.deepEqual(log, ["drop", "conversation.item.truncate"]);
});

test("the place of the cut is told in whole", async () => {
  const sent = [];
  const { talk } = setUp({
    facts: { sounding: true, stopped: { itemId: "a", ms: 1250 } },
    ports: { send: (event) => sent.push(event) > 0 },
  });
  await talk.stopReply();
  assert.deepEqual(sent, [
    { type: "conversation.item.truncate", item_id: "a", content_index: 0, audio_end_ms: 1250 },
  ]);
});

test("a tap on a reply stops it and complains of nothing", async () => {
  const { talk, log } = setUp({ facts: { replying: true } });
  talk.press();
  await talk.release();
  assert.ok(!log.some((entry) => String(entry).startsWith("notice")));
});

test("stopping nothing says nothing", async () => {
  const { talk, log } = setUp();
  await talk.stopReply();
  assert.deepEqual(log, []);
});

test("typed words interrupt, then are sent and answered", async () => {
  const { talk, log } = setUp({ facts: { replying: true, stopped: { itemId: "a", ms: 5 } } });
  assert.equal(await talk.say("Hello"), true);
  assert.deepEqual(log, [
    "drop",
    "response.cancel",
    "conversation.item.truncate",
    "conversation.item.create",
    "response.create",
    "asked",
  ]);
});

test("without a connection typed words are kept and the button is let go", async () => {
  const { talk, log } = setUp({ facts: { online: false } });
  assert.equal(await talk.say("Hello"), false);
  talk.press();
  await settle();
  assert.equal(talk.held, false);
  assert.deepEqual(log, ["notice not_connected", "notice not_connected"]);
});

test("a microphone that is refused ends the press and is told", async () => {
  const refuse = async () => {
    throw new Error("denied");
  };
  const { talk, log } = setUp({ ports: { openMicrophone: refuse } });
  talk.press();
  await settle();
  assert.equal(talk.held, false);
  await talk.setHandsFree(true);
  assert.equal(talk.handsFree, false);
  assert.deepEqual(log, ["fail denied", "fail denied"]);
});

test("who let go to give permission is told that the microphone is ready", async () => {
  const slow = () => new Promise((resolve) => setTimeout(resolve, 350));
  const { talk, log } = setUp({ ports: { openMicrophone: slow } });
  talk.press();
  await talk.release();
  assert.deepEqual(log, ["notice microphone_ready"]);
});

test("hands-free: every frame, no commit of our own; the button does not record", async () => {
  const { talk, log } = setUp();
  await talk.setHandsFree(true);
  talk.hear(frame(1));
  talk.press();
  await settle();
  assert.equal(talk.held, false);
  await talk.setHandsFree(false);
  talk.hear(frame(2));
  assert.deepEqual(log, [
    "input_audio_buffer.clear",
    "configure",
    1,
    "configure",
    "input_audio_buffer.clear",
  ]);
});

test("a lost server forgets the press", async () => {
  const { talk, log, facts } = setUp();
  talk.press();
  await settle();
  facts.online = false;
  talk.abandon();
  talk.hear(frame(1));
  await talk.release();
  assert.deepEqual(log, ["input_audio_buffer.clear"]);
});

test("hands-free that is muted sends nothing until it is taken back", async () => {
  const { talk, log } = setUp();
  await talk.setHandsFree(true);
  talk.hear(frame(1));
  talk.setMuted(true);
  talk.hear(frame(2));
  assert.ok(talk.muted && !talk.streaming);
  talk.setMuted(false);
  talk.hear(frame(3));
  assert.deepEqual(log.slice(-4), ["configure", 1, "input_audio_buffer.clear", 3]);
  await talk.setHandsFree(false);
  talk.setMuted(true);
  assert.ok(!talk.muted, "there is nothing to mute");
});

test("hands-free does not listen to a turn that is played again", async () => {
  let deaf = true;
  const { talk, log } = setUp({ ports: { deaf: () => deaf } });
  await talk.setHandsFree(true);
  const before = log.length;
  talk.hear(frame(1));
  deaf = false;
  talk.hear(frame(2));
  assert.deepEqual(log.slice(before), [2]);
});
