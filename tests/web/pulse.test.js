/** Whether the line is alive: silence, sleep, tabs in the background. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createPulse } from "../../web/pulse.js";

/** Look every two seconds from `from` to `to`; returns what was said that is not "nothing", and when. */
function watch(pulse, from, to, { hidden = false, answers = false } = {}) {
  const said = [];
  for (let now = from; now <= to; now += 2000) {
    const verdict = pulse.look(now, { hidden });
    if (verdict === "nothing") continue;
    said.push([verdict, now]);
    if (verdict === "ask") pulse.ask(now);
    if (verdict === "ask" && answers) pulse.hear(now + 100);
  }
  return said;
}

test("a quiet line is asked for a word every quarter of a minute", () => {
  assert.deepEqual(watch(createPulse(0), 0, 40_000, { answers: true }), [
    ["ask", 16_000],
    ["ask", 32_000],
  ]);
});

test("one that does not answer is dead", () => {
  const pulse = createPulse(0);
  pulse.ask(1000);
  pulse.ask(5000);
  assert.deepEqual(watch(pulse, 0, 12_000), [["dead", 10_000]], "the first question counts");
  assert.deepEqual(watch(createPulse(0), 0, 26_000), [
    ["ask", 16_000],
    ["dead", 26_000],
  ]);
});

test("whatever the server says is an answer", () => {
  const pulse = createPulse(0);
  pulse.ask(1000);
  pulse.hear(8000);
  assert.deepEqual(watch(pulse, 0, 20_000), []);
});

test("a page that slept doubts its line; one in the background is only slow", () => {
  const pulse = createPulse(0);
  pulse.ask(1000);
  assert.equal(pulse.look(30_000, { hidden: false }), "slept");
  assert.equal(pulse.look(32_000, { hidden: false }), "nothing", "its patience begins anew");
  assert.equal(pulse.look(92_000, { hidden: true }), "nothing");
  assert.equal(pulse.look(94_000, { hidden: true }), "nothing");
  assert.equal(pulse.look(102_000, { hidden: true }), "dead");
});
