/** Finding commands, and the sound of a turn that is played again. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { soundOf } from "../../web/replay.js";
import { rank } from "../../web/search.js";

const named = (...names) => names.map((name) => ({ name }));
const found = (all, wanted) => rank(all, wanted).map(({ name }) => name);

test("words as they stand come before letters in order; accents and case do not matter", () => {
  const all = named("Stop the reply", "Settings", "Theme: Dark", "Réécouter", "Text");
  assert.deepEqual(found(all, ""), all.map(({ name }) => name));
  assert.deepEqual(found(all, "set"), ["Settings"]);
  assert.deepEqual(found(all, "dark"), ["Theme: Dark"]);
  assert.deepEqual(found(all, "ree"), ["Réécouter"]);
  assert.deepEqual(found(all, "tt"), ["Settings", "Stop the reply", "Text"]);
  assert.deepEqual(found(all, "reply"), ["Stop the reply"]);
  assert.deepEqual(found(all, "xyz"), []);
});

test("the sound of a retrieved item, or none", () => {
  const samples = Int16Array.of(1, -2, 300, -32768);
  const audio = Buffer.from(samples.buffer).toString("base64");
  assert.deepEqual(soundOf({ content: [{ audio: null }, { audio }] }), samples);
  assert.deepEqual(soundOf({ content: [{ audio: `${Buffer.from([1, 0, 9]).toString("base64")}` }] }), Int16Array.of(1));
  assert.equal(soundOf({ content: [{ audio: null }] }), null);
  assert.equal(soundOf(undefined), null);
});
