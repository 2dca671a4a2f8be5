/** What the page makes of the server's events: the reducer, the heard words, the phase. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { EMPTY, itemOfTurn, knownItems, reduce } from "../../web/conversation.js";
import { heardLength } from "../../web/heard.js";
import { hasMessage, message } from "../../web/messages.js";
import { phaseOf } from "../../web/phase.js";
import { sessionUpdate } from "../../web/settings.js";

const added = (id, role, content = [], previous = null) => ({
  type: "conversation.item.added",
  item: { id, type: "message", role, content, status: "in_progress" },
  previous_item_id: previous,
});
const spoken = { type: "input_audio", transcript: null };
const outputAdded = (id, turn) => ({
  type: "response.output_item.added",
  turn,
  item: { id, type: "message", role: "assistant", content: [] },
});
const created = (turn) => ({ type: "response.created", turn, response: { id: `resp_${turn}` } });
const done = (turn, status) => ({ type: "response.done", turn, response: { status } });
const delta = (id, text) => ({ type: "response.output_audio_transcript.delta", item_id: id, delta: text });
const transcribed = (id, transcript) => ({
  type: "conversation.item.input_audio_transcription.completed",
  item_id: id,
  transcript,
});
const play = (...events) => events.reduce(reduce, EMPTY);
const shown = (state) => state.items.map(({ role, text }) => [role, text]);

test("a spoken turn: the user's words arrive late and stand before the reply", () => {
  const state = play(
    added("u", "user", [spoken]),
    created(1),
    outputAdded("a", 1),
    added("a", "assistant", [], "u"),
    delta("a", "Hi "),
    { type: "conversation.item.input_audio_transcription.delta", item_id: "u", delta: "hel" },
    transcribed("u", " hello "),
    delta("a", "there"),
  );
  assert.deepEqual(shown(state), [["user", "hello"], ["assistant", "Hi there"]]);
  assert.equal(state.response.turn, 1);
  assert.equal(itemOfTurn(state, 1), "a");
  assert.equal(reduce(state, done(1, "completed")).response, null);
});

test("an item stands after the one the server names, whatever came in between", () => {
  const state = play(
    added("1", "user", [{ type: "input_text", text: "one" }]),
    added("2", "user", [{ type: "input_text", text: "two" }], "1"),
    added("3", "user", [{ type: "input_text", text: "three" }], "1"),
  );
  assert.deepEqual(shown(state).map(([, text]) => text), ["one", "three", "two"]);
});

test("tool calls and system messages are not shown and own no audio", () => {
  const call = { type: "function_call", id: "f", name: "look" };
  const state = play(
    { type: "conversation.item.added", item: call },
    { type: "response.output_item.added", turn: 1, item: call },
    added("s", "system", [{ type: "input_text", text: "Be brief." }]),
  );
  assert.deepEqual(state.items, []);
  assert.equal(itemOfTurn(state, 1), undefined);
});

test("a cancelled reply is marked; one that had said nothing disappears", () => {
  const base = [created(2), outputAdded("a", 2)];
  assert.deepEqual(shown(play(...base, done(2, "cancelled"))), []);
  const [item] = play(...base, delta("a", "Well"), done(2, "cancelled")).items;
  assert.ok(item.interrupted && item.final);
});

test("a reply cleared after it was complete is marked as well", () => {
  const state = play(created(2), outputAdded("a", 2), delta("a", "Well"), done(2, "completed"));
  assert.equal(state.items[0].interrupted, false);
  const cleared = reduce(state, { type: "output_audio_buffer.cleared", response_id: "r", turn: 2 });
  assert.equal(cleared.items[0].interrupted, true);
});

test("what the server keeps of an interrupted reply replaces what was written", () => {
  const state = play(outputAdded("a", 1), delta("a", "One two three"), {
    type: "conversation.item.done",
    item: {
      id: "a",
      type: "message",
      role: "assistant",
      status: "incomplete",
      content: [{ type: "output_audio", transcript: "One two" }],
    },
  });
  assert.equal(state.items[0].text, "One two");
  assert.ok(state.items[0].interrupted);
});

test("a truncated reply ends where it was cut, and late words do not lengthen it", () => {
  const cut = { type: "conversation.item.truncated", item_id: "a", content_index: 0, audio_end_ms: 700 };
  const state = play(outputAdded("a", 1), delta("a", "One two"), cut, delta("a", " three"));
  assert.equal(state.items[0].playedMs, 700);
  assert.equal(state.items[0].text, "One two");
});

test("words that could not be made out are said to be", () => {
  const failed = { type: "conversation.item.input_audio_transcription.failed", item_id: "u" };
  for (const event of [failed, transcribed("u", "  ")]) {
    const [item] = play(added("u", "user", [spoken]), event).items;
    assert.ok(item.failed && item.final);
  }
});

test("a lost connection keeps the conversation, ends what was going on, and says so once", () => {
  const lost = { type: "local.lost" };
  const state = play(
    added("u", "user", [{ type: "input_text", text: "hello" }]),
    { type: "local.asked" },
    created(1),
    outputAdded("a", 1),
    delta("a", "Hi"),
    added("empty", "user", [spoken]),
    lost,
    lost,
  );
  assert.deepEqual(state.items.map((item) => item.role), ["user", "assistant", "resumed"]);
  assert.deepEqual([state.response, state.awaiting, state.items[1].final], [null, false, true]);
  assert.deepEqual(play(lost).items, []);
});

test("unknown events and unknown items change nothing", () => {
  const state = play(added("u", "user"));
  for (const event of [{ type: "rate_limits.updated" }, delta("nobody", "x"), transcribed("no", "x")]) {
    assert.equal(reduce(state, event), state);
  }
});

test("an item that stays the same stays the same object", () => {
  const state = play(added("u", "user", [{ type: "input_text", text: "hello" }]), outputAdded("a", 1));
  assert.equal(reduce(state, delta("a", "Hi")).items[0], state.items[0]);
});

const words = [
  { text: "Well,", start_ms: 0, end_ms: 300 },
  { text: "well", start_ms: 300, end_ms: 600 },
  { text: "unspelled", start_ms: 600, end_ms: 900 },
  { text: "done", start_ms: 900, end_ms: 1200 },
];
for (const [ms, heard] of [[0, ""], [1, "Well,"], [300, "Well,"], [301, "Well, well"], [950, "Well, well, it is done."]]) {
  test(`after ${ms} ms "${heard}" was heard`, () => {
    const text = "Well, well, it is done.";
    const wanted = heard === "Well, well" ? "Well, well," : heard;
    assert.equal(text.slice(0, heardLength(text, words, ms)), wanted);
  });
}

test("the phase: the user before the reply, the reply before waiting", () => {
  const facts = {
    line: "online",
    held: false,
    handsFree: false,
    level: 0,
    userSpeaking: false,
    playing: false,
    answering: false,
  };
  const table = [
    [{}, "ready"],
    [{ line: "connecting" }, "connecting"],
    [{ line: "offline" }, "offline"],
    [{ line: "offline", playing: true }, "speaking"],
    [{ held: true }, "listening"],
    [{ held: true, level: 0.1, playing: true }, "hearing"],
    [{ handsFree: true }, "listening"],
    [{ handsFree: true, level: 0.1 }, "listening"],
    [{ handsFree: true, userSpeaking: true, playing: true }, "hearing"],
    [{ answering: true, handsFree: true }, "thinking"],
    [{ answering: true, playing: true }, "speaking"],
  ];
  for (const [change, phase] of table) assert.equal(phaseOf({ ...facts, ...change }), phase);
});

test("the session's settings say who ends a turn and whether replies are spoken", () => {
  const settings = { voice: "", language: "", speakReplies: true };
  assert.deepEqual(sessionUpdate(settings, { handsFree: false, canPlay: true }).session, {
    type: "realtime",
    output_modalities: ["audio"],
    audio: { input: { transcription: {}, turn_detection: null }, output: {} },
  });
  const chosen = { voice: "af_heart", language: "de", speakReplies: true };
  assert.deepEqual(sessionUpdate(chosen, { handsFree: true, canPlay: false }).session, {
    type: "realtime",
    output_modalities: ["text"],
    audio: {
      input: { transcription: { language: "de" }, turn_detection: { type: "semantic_vad" } },
      output: { voice: "af_heart" },
    },
  });
});

test("the server hears which languages the browser's user reads, unless one was chosen", () => {
  const settings = { voice: "", language: "", speakReplies: true };
  const mode = { handsFree: false, canPlay: true, languages: Object.freeze(["fr-CA", "en"]) };
  const heard = (chosen) => sessionUpdate(chosen, mode).session.audio.input.transcription;
  assert.deepEqual(heard(settings), { languages: ["fr-CA", "en"] });
  assert.deepEqual(heard({ ...settings, language: "de" }), { language: "de" });
  const many = { ...mode, languages: Array(99).fill("fr") };
  assert.equal(sessionUpdate(settings, many).session.audio.input.transcription.languages.length, 32);
});

test("every phase has its word and its hint, every message its text", () => {
  for (const phase of ["connecting", "offline", "ready", "listening", "hearing", "thinking", "speaking"]) {
    assert.ok(hasMessage(`phase.${phase}`));
    assert.ok(hasMessage(`hint.${phase}`) || hasMessage(`hint.${phase}.held`));
  }
  assert.equal(message("notice.server_error", { message: "no" }), "The server reports: no");
});

test("a silence that has become an item is not shown", () => {
  const state = play(
    { type: "input_audio_buffer.timeout_triggered", item_id: "quiet" },
    added("quiet", "user", [spoken]),
    outputAdded("a", 4),
    delta("a", "Are you still there?"),
  );
  assert.deepEqual(shown(state), [["assistant", "Are you still there?"]]);
});

test("words are shown while they are spoken, before the server has made an item of them", () => {
  const partial = (id, text) => ({
    type: "conversation.item.input_audio_transcription.delta",
    item_id: id,
    delta: text,
  });
  let state = play(partial("u", "What is "), partial("u", "the "));
  assert.deepEqual(
    state.items.map(({ id, text, final }) => ({ id, text, final })),
    [{ id: "u", text: "What is the ", final: false }],
  );
  state = [
    { type: "input_audio_buffer.committed", item_id: "u" },
    added("u", "user", [spoken]),
    transcribed("u", "What is the time?"),
  ].reduce(reduce, state);
  assert.equal(state.items.length, 1);
  assert.equal(state.items[0].text, "What is the time?");
  assert.ok(state.items[0].final && state.items[0].spoken && !state.items[0].early);

  const noise = reduce(reduce(state, partial("v", "mm")), { type: "input_audio_buffer.committed", item_id: "w" });
  assert.deepEqual(noise.items.map(({ id }) => id), ["u"], "words that nothing came of");
  const lost = reduce(reduce(state, partial("v", "mm")), { type: "local.lost" });
  assert.ok(!lost.items.some(({ id }) => id === "v"));
});

test("timings belong to their reply, whichever comes first", () => {
  const timings = { type: "response.timings", turn: 3, stages: { stt: 120.5 } };
  for (const events of [
    [created(3), outputAdded("a", 3), timings],
    [created(3), timings, outputAdded("a", 3)],
  ]) {
    assert.deepEqual(play(...events).items[0].timings, { stt: 120.5 });
  }
  assert.equal(play(created(4), timings, outputAdded("b", 4)).items[0].timings, null);
});

test("a conversation that is cleared leaves nothing; what the server has rendered is kept", () => {
  const rendered = { type: "conversation.item.rendered", item_id: "a", html: "<b>x</b>" };
  const state = play(created(1), outputAdded("a", 1), rendered);
  assert.equal(state.items[0].html, "<b>x</b>");
  assert.deepEqual(reduce(state, { type: "local.cleared" }).items, []);
});

test("only what came since the last connection is known to the server", () => {
  const before = play(outputAdded("a", 1), delta("a", "Hi."), { type: "local.lost" });
  assert.deepEqual(knownItems(before), []);
  const after = reduce(before, added("u", "user", [{ type: "input_text", text: "You?" }]));
  assert.deepEqual(knownItems(after).map(({ id }) => id), ["u"]);
});

test("muted and asleep are hands-free only, and a reply goes before them", () => {
  const facts = { line: "online", held: false, handsFree: true, level: 0, userSpeaking: false, playing: false, answering: false };
  assert.equal(phaseOf({ ...facts, muted: true }), "muted");
  assert.equal(phaseOf({ ...facts, asleep: true, userSpeaking: true }), "asleep");
  assert.equal(phaseOf({ ...facts, asleep: true, playing: true }), "speaking");
  assert.equal(phaseOf({ ...facts, handsFree: false, muted: true }), "ready");
});

test("while the wake phrase is waited for, nothing is answered", () => {
  const chosen = { voice: "", language: "", speakReplies: true };
  const update = (asleep) => sessionUpdate(chosen, { handsFree: true, canPlay: true, asleep, instructions: "Be kind." });
  assert.equal(update(true).session.audio.input.turn_detection.create_response, false);
  assert.deepEqual(update(false).session.audio.input.turn_detection, { type: "semantic_vad" });
  assert.equal(update(false).session.instructions, "Be kind.");
});

test("what is written without a connection waits, and is sent, here or to a new session", () => {
  const item = { id: "w", type: "message", role: "user", content: [{ type: "input_text", text: "Hello?" }] };
  const waits = play(added("u", "user", [{ type: "input_text", text: "Hi" }]), { type: "local.waiting", item });
  assert.deepEqual(waits.items.map(({ id, waiting }) => [id, waiting]), [["u", false], ["w", true]]);

  const arrived = { ...added("w", "user", item.content, "u") };
  assert.deepEqual(reduce(waits, arrived).items.map(({ waiting }) => waiting), [false, false]);

  const anew = reduce(waits, { type: "local.lost" });
  assert.deepEqual(anew.items.map(({ role }) => role), ["user", "resumed", "user"]);
  assert.ok(anew.awaiting);
  const sent = reduce(anew, { ...arrived, previous_item_id: null });
  assert.deepEqual(sent.items.map(({ role, waiting }) => [role, waiting]), [
    ["user", false],
    ["resumed", false],
    ["user", false],
  ]);
});
