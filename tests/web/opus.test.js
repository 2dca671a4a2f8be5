/** Pieces of Opus, on the cases that the server's are tested on too; and what of a stream is sound. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { PACKET_SAMPLES, PRE_SKIP, createCounting, createTrimming, pack, unpack } from "../../web/opus.js";
import { BadEvent } from "../../web/protocol.js";

const cases = JSON.parse(readFileSync(new URL("../fixtures/wire/pieces.json", import.meta.url), "utf8"));
const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));

/** A packet of 20 ms, by its first byte. */
const PACKET = Uint8Array.of(0x78, 1);

test("there are cases", () => assert.ok(cases.length > 15));

for (const { name, binary, error, begins, samples, packets } of cases) {
  test(`${error ? "refuses" : "piece:"} ${name}`, () => {
    if (error) {
      return assert.throws(
        () => unpack(bytes(binary)),
        (thrown) => thrown instanceof BadEvent && thrown.code === error && thrown.message !== "",
      );
    }
    const piece = unpack(bytes(binary));
    assert.deepEqual({ ...piece, packets: piece.packets.map((p) => Buffer.from(p).toString("hex")) }, { begins, samples, packets });
    assert.equal(Buffer.from(pack(piece)).toString("hex"), binary);
  });
}

/** The pieces of a stream of so many samples. */
function stream(length) {
  const counting = createCounting();
  counting.give(length);
  const count = (length + counting.missing) / PACKET_SAMPLES;
  return Array.from({ length: count }, () => counting.take(PACKET));
}

for (const length of [1, 323, 324, 325, 480, 804, 805, 4800, 24_001]) {
  for (const rate of [24_000, 48_000]) {
    test(`${length} samples come back as ${length}, in their places, from a decoder at ${rate} Hz`, () => {
      const pieces = stream(length);
      assert.deepEqual(
        pieces.map(({ begins }) => begins),
        pieces.map((_, i) => i === 0),
      );
      const trimming = createTrimming();
      for (const piece of pieces) trimming.expect("a", unpack(pack(piece)));
      // What a decoder gives: the sample before the sound is -1, then 0, 1, 2...
      const times = rate / 24_000;
      const all = Float32Array.from({ length: pieces.length * PACKET_SAMPLES * times }, (_, i) => i - PRE_SKIP * times);
      const heard = [];
      for (let at = 0; at < all.length; at += 700) {
        for (const part of trimming.take(all.subarray(at, at + 700), rate)) heard.push(...part.samples);
      }
      assert.ok(trimming.empty);
      assert.deepEqual(heard, Array.from({ length: length * times }, (_, i) => i));
    });
  }
}

test("one stream after another: each part says whose it is, and where one begins", () => {
  const trimming = createTrimming();
  for (const key of ["a", "b"]) for (const piece of stream(400)) trimming.expect(key, piece);
  const parts = trimming.take(new Float32Array(4 * PACKET_SAMPLES), 24_000);
  const lengths = { a: 0, b: 0 };
  for (const { key, samples } of parts) lengths[key] += samples.length;
  assert.deepEqual(lengths, { a: 400, b: 400 });
  assert.deepEqual(parts.filter(({ begins }) => begins).map(({ key }) => key), ["a", "b"]);
});

test("nothing of what was expected comes after a reset", () => {
  const trimming = createTrimming();
  for (const piece of stream(4800)) trimming.expect("a", piece);
  trimming.reset();
  assert.ok(trimming.empty);
  assert.deepEqual(trimming.take(new Float32Array(480), 24_000), []);
});
