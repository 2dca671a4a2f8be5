/** The wake phrase in what was understood, and the window after it. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { afterPhrase, createWake } from "../../web/wake.js";

test("the phrase is found at the beginning, however it is spelled, and what follows is told", () => {
  for (const [said, rest] of [
    ["Hey Viva, what time is it?", "what time is it?"],
    ["hey viva what time is it", "what time is it"],
    ["Okay, so, hey Viva. Lights on!", "Lights on!"],
    ["Hey Viver, what time is it?", "what time is it?"],
    ["Hey, Viva!", ""],
    ["Héy VIVA", ""],
    ["What time is it?", null],
    ["I told him that she says hey Viva all day", null],
    ["", null],
  ]) {
    assert.equal(afterPhrase(said, "Hey Viva"), rest, said);
  }
});

test("languages without spaces", () => {
  assert.equal(afterPhrase("ねえビバ、今何時？", "ねえビバ"), "今何時？");
  assert.equal(afterPhrase("今何時？", "ねえビバ"), null);
});

test("a short phrase forgives nothing", () => {
  assert.equal(afterPhrase("Via, hello", "Viv"), null);
  assert.equal(afterPhrase("anything", "  ?! "), null);
});

test("without a phrase it is always awake", () => {
  assert.ok(createWake({ phrase: " ", windowMs: 1000 }).awake(1e9));
});

test("after the phrase no phrase is wanted, until nothing has happened for a while", () => {
  const wake = createWake({ phrase: "Hey Viva", windowMs: 1000 });
  assert.ok(!wake.awake(0));
  assert.equal(wake.hear("Good morning.", 10), "ignore");
  assert.ok(!wake.awake(11));
  wake.touch(12);
  assert.ok(!wake.awake(13), "touching does not wake");
  assert.equal(wake.hear("Hey Viva.", 100), "listen");
  assert.ok(wake.awake(1099));
  wake.touch(1000);
  assert.ok(wake.awake(1999));
  assert.ok(!wake.awake(2000));
  assert.equal(wake.hear("Hey Viva, sing!", 3000), "answer");
  wake.sleep();
  assert.ok(!wake.awake(3001));
});
