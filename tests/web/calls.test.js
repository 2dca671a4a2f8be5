/** Tools that were called for an answer: what is known of each call, from the stream and from what is stored. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { argumentsOf, callsOf, hearCall, mergeCalls, nameOf, toldOf } from "../../web/calls.js";
import { EMPTY, reduce } from "../../web/conversation.js";
import { itemsOf } from "../../web/library-items.js";
import { BLANK } from "../../web/items.js";
import { stored } from "./stored.js";

const call = { id: "call_1", name: "notes__add", arguments: '{"a":2,"b":3}' };
const answer = stored("msg_2", "assistant", "Five.", { tool_calls: [call] });
const output = stored("msg_3", "tool", "5", { tool_call_id: "call_1" });

test("the stream tells of a call from the question to the output", () => {
  let state = reduce(EMPTY, { type: "local.put", item: { ...BLANK, id: "msg_2", role: "assistant" } });
  const states = [];
  for (const [kind, data] of [
    ["tool.asked", { message_id: "msg_2", call }],
    ["tool.called", { message_id: "msg_2", call }],
    ["tool.answered", { message_id: "msg_2", call_id: "call_1", output_id: "msg_3", failed: false }],
  ]) {
    state = reduce(state, { type: "local.call", item_id: data.message_id, call: toldOf(kind, data) });
    states.push(state.items[0].calls[0].state);
  }
  assert.deepEqual(states, ["asked", "called", "done"]);
  state = reduce(state, { type: "local.call", item_id: "msg_2", call: { id: "call_1", output: "5" } });
  assert.deepEqual(state.items[0].calls, [{ ...call, state: "done", output: "5" }]);
  // The answer as it is stored at last knows of the call, but not of what it gave.
  const [item] = itemsOf([answer]);
  state = reduce(state, { type: "local.put", item });
  assert.deepEqual(state.items[0].calls, [{ ...call, state: "done", output: "5" }]);
  assert.equal(toldOf("message.delta", {}), null);
});

test("what failed has failed", () => {
  const failed = toldOf("tool.answered", { call_id: "call_1", output_id: "msg_3", failed: true });
  assert.equal(hearCall([{ ...call, state: "called", output: "" }], failed)[0].state, "failed");
  const outputs = new Map([["call_1", { ...output, status: "failed" }]]);
  assert.equal(callsOf(answer, outputs)[0].state, "failed");
});

test("a stream that is read anew takes nothing back", () => {
  const known = [{ ...call, state: "done", output: "5" }];
  assert.deepEqual(hearCall(known, toldOf("tool.asked", { call })), known);
  assert.deepEqual(mergeCalls(known, callsOf(answer, new Map())), known);
  assert.deepEqual(mergeCalls(known, []), known);
  assert.deepEqual(mergeCalls([], known), known);
});

test("what is stored says what each call gave, on the answer that made it", () => {
  const items = itemsOf([stored("msg_1", "user", "Two and three?"), answer, output]);
  assert.deepEqual(items.map(({ id }) => id), ["msg_1", "msg_2"]);
  assert.deepEqual(items[1].calls, [{ ...call, state: "done", output: "5" }]);
  assert.equal(callsOf({ ...answer, status: "streaming" }, new Map())[0].state, "called");
});

test("the call of a spoken reply belongs to the words that come of it", () => {
  const items = itemsOf([
    stored("msg_1", "user", "Two and three?"),
    { ...answer, text: "" },
    output,
    stored("msg_4", "assistant", "Five, I believe.", { audio: true }),
    stored("msg_5", "user", "Thanks."),
    stored("msg_6", "assistant", "Gladly."),
  ]);
  assert.deepEqual(items.map(({ id, calls }) => [id, calls.length]), [["msg_1", 0], ["msg_4", 1], ["msg_5", 0], ["msg_6", 0]]);
  assert.equal(items[1].calls[0].output, "5");
  assert.deepEqual(items.map(({ recorded }) => recorded), [false, true, false, false]);
});

test("what is stored is noted once on what is on the screen", () => {
  const [item] = itemsOf([answer, output]);
  let state = reduce(EMPTY, { type: "local.put", item: { ...item, calls: [], recorded: false } });
  state = reduce(state, { type: "local.stored", items: [{ ...item, recorded: true }] });
  assert.equal(state.items[0].calls.length, 1);
  assert.equal(state.items[0].recorded, true);
  const again = reduce(state, { type: "local.stored", items: [{ ...item, recorded: true }] });
  assert.equal(again.items[0], state.items[0]);
});

test("names and arguments are written for people", () => {
  assert.equal(nameOf("notes__add"), "notes: add");
  assert.equal(nameOf("look"), "look");
  assert.equal(argumentsOf('{"a":2,"city":"Paris","all":[1]}'), "a: 2\ncity: Paris\nall: [1]");
  for (const nothing of ["{}", "null"]) assert.equal(argumentsOf(nothing), "");
  assert.equal(argumentsOf("{broken"), "{broken");
  assert.equal(argumentsOf("3"), "3");
});
