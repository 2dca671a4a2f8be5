/**
 * The page's codec on the shared cases; their format is described in tests/fixtures/wire/README.md:
 * a list of { name, direction, event, binary: hex | null, json: text | null, error? }.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { BadEvent, decode, encode } from "../../web/protocol.js";

const AUDIO_FIELD = {
  "input_audio_buffer.append": "audio",
  "response.output_audio.delta": "delta",
};

const cases = ["frames", "events"].flatMap((name) =>
  JSON.parse(readFileSync(new URL(`../fixtures/wire/${name}.json`, import.meta.url), "utf8")),
);

/** Exactly the bytes, in a buffer of their own: Node's small buffers share one. */
const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex")).buffer;
const hex = (buffer) => Buffer.from(buffer).toString("hex");

/** The event as the page holds it: audio as samples, or as a piece of Opus, instead of base64. */
function withSamples(event, binary) {
  const field = AUDIO_FIELD[event.type];
  if (!field) return event;
  const kind = /^0[34]/.test(binary) ? Uint8Array : Int16Array;
  return { ...event, [field]: new kind(bytes(Buffer.from(event[field], "base64").toString("hex"))) };
}

test("there are cases", () => assert.ok(cases.length > 20));

for (const { name, event, binary, json, error } of cases) {
  if (error) {
    test(`refuses ${name}`, () => {
      const message = binary === null ? json : bytes(binary);
      assert.throws(
        () => decode(message),
        (thrown) => thrown instanceof BadEvent && thrown.code === error && thrown.message !== "",
      );
    });
    continue;
  }
  if (binary !== null) {
    test(`frame: ${name}`, () => {
      const { delta, audio = delta, ...rest } = decode(bytes(binary));
      const { delta: expectedDelta, audio: expected = expectedDelta, ...others } = withSamples(event, binary);
      assert.deepEqual(rest, others);
      assert.equal(audio.constructor, expected.constructor);
      assert.deepEqual([...audio], [...expected]);
      assert.equal(hex(encode(withSamples(event, binary))), binary);
    });
  }
  test(`text: ${name}`, () => {
    assert.deepEqual(decode(json), event);
    assert.deepEqual(JSON.parse(encode(event)), event);
  });
}
