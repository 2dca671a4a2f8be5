/** What a kiosk does by itself: the visitor who has gone, the microphone that is silent, the frozen tab. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createIdle, createWatchdog } from "../../web/kiosk/watchdog.js";

const well = { listening: true, silentMs: 20, idle: true, outdated: false };
const minute = 60_000;

/** Looks once a second from `from` to `to`; the first that is not "nothing", and when. */
function watch(dog, facts, from, to) {
  for (let now = from; now <= to; now += 1000) {
    const verdict = dog.look(now, facts);
    if (verdict !== "nothing") return [verdict, now];
  }
  return ["nothing", to];
}

test("when all is well nothing is done, for hours", () => {
  const dog = createWatchdog(0);
  assert.deepEqual(watch(dog, well, 1000, 11 * 60 * minute)[0], "nothing");
  assert.deepEqual(watch(dog, { ...well, idle: false }, 11 * 60 * minute, 13 * 60 * minute)[0], "nothing");
  assert.deepEqual(watch(dog, well, 13 * 60 * minute, 14 * 60 * minute), ["reload", 13 * 60 * minute]);
});

test("a silent microphone is opened again, and after four times the page", () => {
  const dog = createWatchdog(0);
  watch(dog, well, 1000, 2 * minute);
  const deaf = { ...well, silentMs: Infinity };
  let now = 2 * minute;
  for (let i = 0; i < 4; i++) {
    const [verdict, at] = watch(dog, deaf, now + 1000, now + minute);
    assert.equal(verdict, "open");
    assert.ok(i === 0 || at - now >= 5000, "not at once");
    now = at;
  }
  assert.equal(watch(dog, deaf, now + 1000, now + minute)[0], "reload");
});

test("one that is heard again counts anew; one that is not wanted does not count", () => {
  const dog = createWatchdog(0);
  watch(dog, well, 1000, 2 * minute);
  for (let i = 0; i < 10; i++) {
    const from = (2 + i) * minute;
    assert.equal(watch(dog, { ...well, silentMs: 9000 }, from, from + 6000)[0], "open");
    assert.equal(watch(dog, well, from + 7000, from + 59_000)[0], "nothing");
  }
  const unwanted = { ...well, listening: false, silentMs: Infinity };
  assert.equal(watch(dog, unwanted, 12 * minute, 20 * minute)[0], "nothing");
});

test("a tab that was frozen, and a page with errors, are loaded anew, but not over and over", () => {
  const frozen = createWatchdog(0);
  watch(frozen, well, 1000, 2 * minute);
  assert.equal(frozen.look(4 * minute, well), "reload");

  const broken = createWatchdog(0);
  for (let i = 0; i < 5; i++) broken.fail();
  assert.deepEqual(watch(broken, well, 1000, 5 * minute), ["reload", minute]);
});

test("new files on the server are loaded when nobody is there", () => {
  const dog = createWatchdog(0);
  const outdated = { ...well, outdated: true };
  assert.equal(watch(dog, { ...outdated, idle: false }, 1000, 5 * minute)[0], "nothing");
  assert.equal(dog.look(5 * minute + 1000, outdated), "reload");
});

test("a visitor who says nothing is warned, then forgotten", () => {
  const idle = createIdle(45_000);
  idle.touch(1000);
  assert.equal(idle.left(35_000), null);
  assert.equal(idle.left(36_000), 10);
  assert.equal(idle.left(45_500), 1);
  assert.equal(idle.left(46_000), 0);
  idle.touch(46_000);
  assert.equal(idle.left(47_000), null);
});
