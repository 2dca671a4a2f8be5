/** Which reply audio is played, dropped and ducked. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { EMPTY } from "../../web/conversation.js";
import { createReplies } from "../../web/replies.js";

const samples = Int16Array.of(1, 2);
const conversation = { ...EMPTY, turnOfItem: { a: 1, b: 2 }, response: { id: "r", turn: 3 } };

function setUp({ holds = ["a", "b"] } = {}) {
  const log = [];
  const speaker = {
    sounding: holds.length > 0,
    holds: (id) => holds.includes(id),
    push: (id) => log.push(`push ${id}`),
    finish: (id) => log.push(`finish ${id}`),
    stop: async () => log.push("stop"),
    duck: (on) => log.push(on ? "duck" : "rise"),
  };
  const replies = createReplies(speaker);
  const hear = (type, fields = {}) => replies.hear({ type, ...fields }, conversation);
  return { replies, hear, log };
}

test("audio goes to the item of its turn; without one it is stale", () => {
  const { replies, hear, log } = setUp();
  hear("response.output_audio.delta", { turn: 2, delta: samples });
  hear("response.output_audio.delta", { turn: 9, delta: samples });
  hear("response.output_audio.done", { turn: 2, item_id: "b" });
  hear("response.done", { turn: 9, response: { status: "completed" } });
  assert.deepEqual(log, ["push b", "finish b"]);
  assert.equal(replies.stale, 1);
});

for (const [name, event, fields] of [
  ["a clear", "output_audio_buffer.cleared", {}],
  ["a cancelled reply", "response.done", { response: { status: "cancelled" } }],
]) {
  test(`${name} silences its turn and nothing else`, () => {
    const { replies, hear, log } = setUp({ holds: ["b"] });
    hear(event, { turn: 1, ...fields });
    assert.deepEqual(log, []);
    hear(event, { turn: 2, ...fields });
    hear("response.output_audio.delta", { turn: 2, delta: samples });
    assert.deepEqual(log, ["rise", "stop"]);
    assert.equal(replies.stale, 1);
  });
}

test("what the listener stopped stays silent, until a new session counts anew", () => {
  const { replies, hear, log } = setUp();
  replies.drop(conversation);
  for (const turn of [1, 2, 3]) hear("response.output_audio.delta", { turn, delta: samples });
  assert.equal(replies.stale, 3);
  hear("session.created");
  hear("response.output_audio.delta", { turn: 1, delta: samples });
  assert.deepEqual(log, ["rise", "push a"]);
});

test("speech over a reply ducks it; undecided, it rises when that was nothing, or after five seconds", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { hear, log } = setUp();
  hear("input_audio_buffer.speech_started");
  mock.timers.tick(4000);
  assert.deepEqual(log, ["duck"]);
  hear("input_audio_buffer.speech_stopped");
  mock.timers.tick(199);
  assert.deepEqual(log, ["duck", "duck"]);
  mock.timers.tick(9000);
  assert.deepEqual(log, ["duck", "duck", "rise"]);
  hear("input_audio_buffer.speech_started");
  mock.timers.tick(5000);
  assert.equal(log.at(-1), "rise");
  mock.timers.reset();
});

test("without a reply there is nothing to duck", () => {
  const { hear, log } = setUp({ holds: [] });
  hear("input_audio_buffer.speech_started");
  assert.deepEqual(log, []);
});
