/** What is kept: the list by day, stored messages on the screen, the address, the owner's settings. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { EMPTY, reduce } from "../../web/conversation.js";
import { readAddress } from "../../web/library-address.js";
import { group, heading, place } from "../../web/library-days.js";
import { itemsOf } from "../../web/library-items.js";
import { DEFAULTS, fromServer, toServer } from "../../web/settings.js";
import { messageId } from "../../web/stored.js";
import { stored } from "./stored.js";

const now = new Date(2026, 10, 21, 14, 0);
const at = (id, ...date) => ({ id, pinned: false, updated_at: new Date(...date).toISOString() });

test("conversations stand by day, then by month, the pinned ones first", () => {
  const groups = group(
    [
      at("a", 2026, 10, 21, 0, 1),
      at("b", 2026, 10, 20, 23, 59),
      { ...at("c", 2025, 1, 1), pinned: true },
      at("d", 2026, 10, 15, 12),
      at("e", 2026, 10, 14, 12),
      at("f", 2026, 9, 30, 12),
      at("g", 2026, 10, 21, 13, 0),
    ],
    now,
  );
  assert.deepEqual(
    groups.map(({ kind, conversations }) => [kind, conversations.map(({ id }) => id).join("")]),
    [["pinned", "c"], ["day", "ga"], ["day", "b"], ["day", "d"], ["month", "e"], ["month", "f"]],
  );
  assert.deepEqual(
    groups.slice(1).map((each) => heading(each, now, "en")),
    ["Today", "Yesterday", "Sunday, November 15", "November 2026", "October 2026"],
  );
  assert.equal(heading(groups[1], now, "de"), "Heute");
  assert.deepEqual(group([], now), []);
});

test("a conversation takes its place, or leaves it", () => {
  const [a, b] = [at("a", 2026, 1), at("b", 2026, 2)];
  assert.deepEqual(place([a], "b", b).map(({ id }) => id), ["b", "a"]);
  assert.deepEqual(place([a, b], "a", { ...a, title: "A" }).length, 2);
  assert.deepEqual(place([a, b], "a", null), [b]);
});

test("stored messages become items", () => {
  const items = itemsOf([
    stored("msg_1", "user", "Hello"),
    stored("msg_2", "tool", "42"),
    stored("msg_3", "assistant", ""),
    stored("msg_4", "assistant", "Good d", { status: "interrupted", html: "<p>Good d</p>" }),
    stored("msg_5", "assistant", "", { status: "streaming" }),
    stored("msg_6", "assistant", "", { status: "failed", error: "llm_timeout" }),
  ]);
  assert.deepEqual(items.map(({ id }) => id), ["msg_1", "msg_4", "msg_5", "msg_6"]);
  assert.deepEqual(items.map(({ final }) => final), [true, true, false, true]);
  assert.equal(items[1].interrupted, true);
  assert.equal(items[1].html, "<p>Good d</p>");
  assert.equal(items[3].trouble, "llm_timeout");
});

test("what is stored tells more of what is on the screen, and changes nothing twice", () => {
  const [question] = itemsOf([stored("msg_a", "user", "Hello", { versions: ["msg_0", "msg_a"] })]);
  let state = reduce(EMPTY, { type: "local.put", item: { ...question, id: "item_a", stored: false, versions: [] } });
  state = reduce(state, { type: "local.stored", items: [question] });
  assert.deepEqual(state.items[0].versions, ["msg_0", "msg_a"]);
  assert.equal(state.items[0].stored, true);
  const again = reduce(state, { type: "local.stored", items: [question] });
  assert.equal(again.items[0], state.items[0], "nothing is drawn anew");
});

test("HTML of another text is not shown", () => {
  const [answer] = itemsOf([stored("msg_a", "assistant", "One two", { html: "<p>One two</p>" })]);
  let state = reduce(EMPTY, { type: "local.put", item: { ...answer, text: "One", html: "", stored: false } });
  state = reduce(state, { type: "local.stored", items: [answer] });
  assert.equal(state.items[0].html, "");
});

test("older messages come before, each once", () => {
  const items = itemsOf([stored("msg_a", "user", "A"), stored("msg_b", "assistant", "B")]);
  let state = reduce(EMPTY, { type: "local.opened", items: items.slice(1) });
  state = reduce(state, { type: "local.older", items });
  assert.deepEqual(state.items.map(({ id }) => id), ["msg_a", "msg_b"]);
});

test("attached anew, items have the ids that the server knows them by", () => {
  const [answer] = itemsOf([stored("msg_a", "assistant", "A")]);
  let state = reduce(EMPTY, { type: "local.put", item: { ...answer, id: "item_a", spoken: true } });
  state = reduce(state, { type: "local.attached" });
  assert.equal(state.items[0].id, "msg_a");
  assert.equal(state.items[0].spoken, false, "its sound is gone");
  assert.equal(messageId("item_x"), "msg_x");
  assert.equal(messageId("msg_item_x"), "msg_item_x");
});

test("a streamed answer grows until it is final", () => {
  const [answer] = itemsOf([stored("msg_a", "assistant", "", { status: "streaming" })]);
  let state = reduce(EMPTY, { type: "local.put", item: answer });
  state = reduce(state, { type: "local.more", item_id: "msg_a", delta: "Good" });
  state = reduce(state, { type: "local.more", item_id: "msg_a", delta: " day" });
  assert.equal(state.items[0].text, "Good day");
  state = reduce(state, { type: "local.taken", ids: ["msg_a"] });
  assert.deepEqual(state.items, []);
});

test("the address names a conversation, and a place in it", () => {
  assert.deepEqual(readAddress("#c=conv_1&m=msg_2"), { id: "conv_1", message: "msg_2" });
  assert.deepEqual(readAddress("#c=conv_1"), { id: "conv_1", message: null });
  assert.deepEqual(readAddress(""), { id: null, message: null });
});

test("the server's settings and the page's say the same", () => {
  const settings = { ...DEFAULTS, voice: "af_heart", prompt: "Be brief." };
  assert.equal(toServer(settings).theme, "system");
  const other = { ...DEFAULTS, theme: "dark", gain: false };
  assert.deepEqual(fromServer(other, toServer(settings)).sort(), ["prompt", "theme", "voice"]);
  assert.equal(other.gain, false);
  assert.deepEqual(fromServer(other, toServer(settings)), [], "nothing changes twice");
  assert.deepEqual(fromServer(other, {}).sort(), ["prompt", "voice"], "left out: as by default");
});
