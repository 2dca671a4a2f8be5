/** Ring, resampler, framing and playout: everything between the wire and the ear that is pure. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { FRAME_SAMPLES, createFraming } from "../../web/framing.js";
import { createPlayout } from "../../web/playout.js";
import { createResampler } from "../../web/resample.js";
import { createRing } from "../../web/ring.js";

const tone = (hz, rate, count) =>
  Float32Array.from({ length: count }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / rate));
const join = (parts) => Float32Array.from(parts.flatMap((part) => [...part]));
const power = (samples) => samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
const decibels = (ratio) => 10 * Math.log10(ratio);
/** Constant PCM, so that gaps and gains show. */
const pcm = (count, value = 16384) => new Int16Array(count).fill(value);

test("a ring gives back what went in, in order, across its seam and its growth", () => {
  const ring = createRing(4, 64);
  const taken = [];
  let next = 0;
  for (const [put, take] of [[3, 2], [3, 1], [9, 5], [20, 30], [5, 2], [2, 9]]) {
    assert.equal(ring.write(Float32Array.from({ length: put }, () => next++)), put);
    const out = new Float32Array(take);
    taken.push(...out.subarray(0, ring.read(out)));
  }
  assert.deepEqual(taken, Array.from({ length: next }, (_, i) => i));
  assert.equal(ring.length, 0);
});

test("a ring refuses what exceeds its limit and keeps the rest", () => {
  const ring = createRing(4, 10);
  assert.equal(ring.write(new Float32Array(8).fill(1)), 8);
  assert.equal(ring.write(new Float32Array(8).fill(2)), 2);
  const out = new Float32Array(16);
  assert.equal(ring.read(out), 10);
  assert.equal(out[9], 2);
});

for (const [from, to] of [[48000, 24000], [44100, 24000], [24000, 48000], [24000, 44100], [16000, 24000]]) {
  test(`resampling ${from} to ${to} keeps a tone, its length and its phase`, () => {
    const resampler = createResampler(from, to);
    const count = from / 2;
    const out = join([resampler.process(tone(1000, from, count)), resampler.flush()]);
    assert.equal(out.length, to / 2);
    const wanted = tone(1000, to, to / 2);
    const middle = (samples) => samples.slice(1000, -1000);
    const error = middle(out).map((x, i) => x - middle(wanted)[i]);
    assert.ok(decibels(power(middle(wanted)) / power(error)) > 60);
  });

  test(`resampling ${from} to ${to} does not depend on how the stream is cut`, () => {
    const input = tone(440, from, 5000);
    const whole = createResampler(from, to);
    const once = join([whole.process(input), whole.flush()]);
    const cut = createResampler(from, to);
    const parts = [];
    for (let at = 0, size = 1; at < input.length; at += size, size = (size * 7) % 311 || 128) {
      parts.push(cut.process(input.subarray(at, at + size)));
    }
    assert.deepEqual(join([...parts, cut.flush()]), once);
  });
}

test("what the lower rate cannot carry does not fold back", () => {
  const out = createResampler(48000, 24000).process(tone(15000, 48000, 24000));
  assert.ok(decibels(power(out.slice(200)) / 0.125) < -60);
});

test("equal rates pass samples through untouched", () => {
  const input = tone(440, 24000, 100);
  assert.equal(createResampler(24000, 24000).process(input), input);
});

test("framing cuts 20 ms frames, clips, measures and drains", () => {
  const framing = createFraming(24000);
  const frames = [];
  for (let i = 0; i < 9; i++) frames.push(...framing.push(new Float32Array(128).fill(i < 5 ? 2 : -0.5)));
  assert.deepEqual(frames.map((frame) => frame.samples.length), [FRAME_SAMPLES, FRAME_SAMPLES]);
  assert.equal(frames[0].samples[0], 32767);
  assert.equal(frames[1].samples[479], -16384);
  assert.equal(frames[0].level, 2);
  const [rest] = framing.drain();
  assert.equal(rest.samples.length, 9 * 128 - 2 * FRAME_SAMPLES);
  assert.deepEqual(framing.drain(), []);
});

/** Run a playout for `ms`; what it gave out, and its reports. */
function run(playout, ms, rate = 24000) {
  const out = [];
  const reports = [];
  for (let left = Math.round((ms / 1000) * rate); left > 0; left -= 128) {
    const block = new Float32Array(Math.min(128, left));
    reports.push(...playout.render(block));
    out.push(...block);
  }
  return { out: Float32Array.from(out), reports };
}

test("an item waits for the jitter buffer, then plays without a gap to its last sample", () => {
  const playout = createPlayout(24000);
  playout.push("a", pcm(1199));
  assert.equal(Math.max(...run(playout, 20).out), 0);
  playout.push("a", pcm(6001));
  playout.finish("a");
  const { out, reports } = run(playout, 400);
  assert.equal(out.filter((x) => x === 0.5).length, 7200);
  assert.equal(out.indexOf(0.5), 0);
  assert.deepEqual(reports.at(-1), { key: "a", ms: 300, done: true });
  assert.equal(playout.counters.underruns, 0);
  assert.equal(playout.playing, false);
});

test("a short item plays as soon as it is complete", () => {
  const playout = createPlayout(24000);
  playout.push("a", pcm(240));
  playout.finish("a");
  const { out, reports } = run(playout, 20);
  assert.equal(out.filter((x) => x === 0.5).length, 240);
  assert.deepEqual(reports, [{ key: "a", ms: 10, done: true }]);
});

test("items follow each other in the very next sample, and are reported four times a second", () => {
  const playout = createPlayout(24000);
  playout.push("a", pcm(12000));
  playout.push("b", pcm(12050, -16384));
  playout.finish("b");
  const { out, reports } = run(playout, 1100);
  assert.equal(out[11999], 0.5);
  assert.equal(out[12000], -0.5);
  assert.deepEqual(
    reports.filter((report) => report.done),
    [{ key: "a", ms: 500, done: true }, { key: "b", ms: 502, done: true }],
  );
  assert.equal(reports.length, 4);
});

test("an underrun waits for more, half as much again, and does not click", () => {
  const playout = createPlayout(24000);
  playout.push("a", pcm(1200));
  const { out } = run(playout, 60);
  assert.ok(out.slice(1).every((x, i) => Math.abs(x - out[i]) < 0.05 || i === 0));
  assert.equal(playout.counters.underruns, 1);
  assert.equal(playout.targetMs, 75);
  playout.push("a", pcm(1799));
  assert.ok(Math.max(...run(playout, 20).out.slice(-100)) < 0.01);
  playout.push("a", pcm(1));
  assert.equal(run(playout, 5).out[0], 0.5);
});

test("the jitter buffer stops growing at 400 ms and shrinks again when all is calm", () => {
  const playout = createPlayout(24000);
  for (let i = 0; i < 12; i++) {
    playout.push("a", pcm(9600));
    run(playout, 450);
  }
  assert.equal(playout.targetMs, 400);
  playout.push("a", pcm(24000 * 11));
  run(playout, 10_500);
  assert.ok(playout.targetMs < 400);
});

test("a stop fades out within 10 ms, counts the fade, and forgets the rest", () => {
  const playout = createPlayout(24000);
  playout.push("a", pcm(24000));
  run(playout, 100);
  assert.deepEqual(playout.stop(), { key: "a", ms: 110, done: false });
  const { out, reports } = run(playout, 50);
  assert.ok(out[0] > 0.45);
  assert.ok(out.slice(1, 240).every((x, i) => x < out[i]));
  assert.ok(out.slice(360).every((x) => x === 0));
  assert.deepEqual(reports, []);
  assert.equal(playout.stop(), null);
  playout.push("b", pcm(2400));
  assert.equal(run(playout, 10).out[0], 0.5);
});

test("a stop before the first sample reports nothing heard", () => {
  const playout = createPlayout(24000);
  playout.push("a", pcm(100));
  assert.deepEqual(playout.stop(), { key: "a", ms: 0, done: false });
});

test("ducking takes 60 ms down to the wanted loudness and as long up", () => {
  const playout = createPlayout(24000);
  playout.push("a", pcm(24000));
  run(playout, 10);
  playout.duck(0.2);
  const { out } = run(playout, 60);
  assert.ok(out.slice(1).every((x, i) => x <= out[i] && out[i] - x < 0.001));
  assert.ok(Math.abs(out.at(-1) - 0.1) < 1e-6);
  playout.duck(1);
  assert.equal(run(playout, 60).out.at(-1), 0.5);
});

for (const rate of [44100, 48000]) {
  test(`at ${rate} Hz the reports are still in the item's own time`, () => {
    const playout = createPlayout(rate);
    for (let i = 0; i < 10; i++) playout.push("a", pcm(2400));
    playout.finish("a");
    const { reports } = run(playout, 1100, rate);
    assert.deepEqual(reports.at(-1), { key: "a", ms: 1000, done: true });
  });
}

test("the peak is what the loudspeaker was given", () => {
  const playout = createPlayout(24000);
  playout.push("a", pcm(2400, -24576));
  run(playout, 50);
  assert.equal(playout.counters.peak, 0.75);
});
