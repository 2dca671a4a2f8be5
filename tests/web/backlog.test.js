/** What was sent and may not have arrived, and what waits for a line. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createBacklog } from "../../web/backlog.js";

test("each message is given out once, whatever the server has received", () => {
  for (let received = 0; received <= 5; received++) {
    const backlog = createBacklog();
    const sent = ["1", "2", "3", "4", "5"];
    sent.forEach(backlog.note);
    assert.deepEqual(backlog.resume(received), sent.slice(received));
    backlog.wait("x", "6");
    assert.deepEqual(backlog.resume(5), ["6"]);
    assert.deepEqual(backlog.resume(6), []);
  }
});

test("of what was sent the newest is kept", () => {
  const backlog = createBacklog();
  for (let number = 1; number <= 10_000; number++) backlog.note(String(number));
  assert.deepEqual(backlog.resume(9_998), ["9999", "10000"]);
  const all = backlog.resume(0);
  assert.ok(all.length >= 1500 && all.length <= 3000);
  assert.equal(all.at(-1), "10000");
});

test("ten seconds of frames wait, and every event", () => {
  const backlog = createBacklog();
  backlog.wait("first", "event");
  for (let number = 0; number < 600; number++) backlog.wait("append", Uint8Array.of(number).buffer);
  const waited = backlog.resume(0);
  assert.equal(waited.length, 501);
  assert.equal(waited[0], "event");
  assert.equal(backlog.dropped, 100);
  assert.deepEqual([...new Uint8Array(/** @type {ArrayBuffer} */ (waited[1]))], [100]);
});
