/** The connection: encodings, losses and returns, over a socket that does as it is told. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { backoff, closeReason, connect } from "../../web/session.js";

function setUp() {
  const sockets = [];
  const events = [];
  const lost = [];
  const resumed = [];
  const open = (url, protocols) => {
    const socket = { url, protocols, readyState: 0, bufferedAmount: 0, sent: [] };
    socket.send = (data) => socket.sent.push(data);
    socket.close = () => {};
    sockets.push(socket);
    return socket;
  };
  const session = connect({
    url: "ws://here/v1/realtime",
    onEvent: (event) => events.push(event),
    onLost: (reason) => lost.push(reason),
    onResumed: ({ restored }) => resumed.push(restored ? "restored" : events.length),
    open,
    hidden: () => false,
  });
  const greet = (socket, greeting = { type: "session.created" }) => {
    socket.readyState = 1;
    socket.onmessage({ data: JSON.stringify(greeting) });
  };
  const end = (socket, code) => {
    socket.readyState = 3;
    socket.onclose({ code });
  };
  return { session, sockets, events, lost, resumed, greet, end };
}

test("the wait doubles from half a second to ten, less a random quarter", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 50].map((n) => backoff(n, 0)), [500, 1000, 2000, 4000, 8000, 10000, 10000]);
  assert.equal(backoff(0, 1), 375);
  assert.equal(backoff(9, 1), 7500);
});

test("how a connection ended has its words", () => {
  assert.equal(closeReason(1013, true), "server_full");
  assert.equal(closeReason(1008, false), "server_refused");
  assert.equal(closeReason(1006, true), "server_lost");
  assert.equal(closeReason(1006, false), "server_unreachable");
});

test("it offers vivavoce.v1, reads frames and text, and passes over what it cannot read", () => {
  const warn = mock.method(console, "warn", () => {});
  const { sockets, events, greet, session } = setUp();
  assert.deepEqual(sockets[0].protocols, ["vivavoce.v1"]);
  assert.equal(sockets[0].binaryType, "arraybuffer");
  assert.equal(session.send({ type: "response.create" }), false);
  greet(sockets[0]);
  sockets[0].onmessage({ data: new Uint8Array([2, 0, 0, 0, 5, 0, 0, 0, 1, 0]).buffer });
  sockets[0].onmessage({ data: new Uint8Array([9]).buffer });
  sockets[0].onmessage({ data: "nonsense" });
  assert.deepEqual(events, [
    { type: "session.created" },
    { type: "response.output_audio.delta", turn: 5, delta: Int16Array.of(1) },
  ]);
  assert.equal(warn.mock.callCount(), 2);
  assert.equal(session.send({ type: "response.create" }), true);
  session.sendAudio(Int16Array.of(-1));
  assert.equal(sockets[0].sent[0], '{"type":"response.create"}');
  assert.deepEqual([...new Uint8Array(sockets[0].sent[1])], [1, 0, 0, 0, 0, 0, 0, 0, 255, 255]);
  session.close();
  warn.mock.restore();
});

test("a lost connection is opened again, later each time, soon again after a greeting", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(Math, "random", () => 0);
  const { sockets, lost, greet, end, session } = setUp();
  greet(sockets[0]);
  end(sockets[0], 1006);
  mock.timers.tick(499);
  assert.equal(sockets.length, 1);
  mock.timers.tick(1);
  assert.equal(sockets.length, 2);
  end(sockets[1], 1006);
  mock.timers.tick(999);
  assert.equal(sockets.length, 2);
  mock.timers.tick(1);
  greet(sockets[2]);
  end(sockets[2], 1013);
  mock.timers.tick(500);
  assert.equal(sockets.length, 4);
  assert.deepEqual(lost, ["server_lost", "server_unreachable", "server_full"]);
  session.close();
  end(sockets[3], 1000);
  mock.timers.tick(60_000);
  assert.equal(sockets.length, 4);
  mock.timers.reset();
  mock.restoreAll();
});

test("a page that comes back tries at once, but not beside a live connection", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { sockets, greet, end, session } = setUp();
  greet(sockets[0]);
  session.retry();
  assert.equal(sockets.length, 1);
  end(sockets[0], 1006);
  session.retry();
  assert.equal(sockets.length, 2);
  mock.timers.tick(60_000);
  assert.equal(sockets.length, 2);
  session.close();
  mock.timers.reset();
});

test("audio that the line cannot take is dropped and counted; ten seconds of that is a loss", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let now = 1000;
  mock.method(performance, "now", () => now);
  const { sockets, lost, greet, session } = setUp();
  greet(sockets[0]);
  sockets[0].bufferedAmount = 96_001;
  assert.equal(session.sendAudio(new Int16Array(480)), false);
  assert.equal(session.dropped, 1);
  now += 9000;
  session.sendAudio(new Int16Array(480));
  sockets[0].bufferedAmount = 0;
  assert.equal(session.sendAudio(new Int16Array(480)), true);
  sockets[0].bufferedAmount = 96_001;
  session.sendAudio(new Int16Array(480));
  now += 10_001;
  assert.deepEqual(lost, []);
  session.sendAudio(new Int16Array(480));
  assert.deepEqual(lost, ["server_lost"]);
  assert.equal(session.connected, false);
  session.close();
  mock.timers.reset();
  mock.restoreAll();
});

const RESUMABLE = { type: "session.created", resume: { token: "abc", seconds: 60 } };

test("a session goes on: what was missed is asked for, what did not arrive is sent again", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { sockets, events, lost, resumed, greet, end, session } = setUp();
  greet(sockets[0], RESUMABLE);
  sockets[0].onmessage({ data: '{"type":"session.updated"}' });
  for (const type of ["one", "two", "three"]) session.send({ type });
  end(sockets[0], 1006);
  assert.equal(session.send({ type: "four" }), true, "it waits for the line");
  assert.equal(session.sendAudio(Int16Array.of(1)), true);
  mock.timers.tick(500);
  assert.deepEqual(sockets[1].protocols, ["vivavoce.v1", "vivavoce.resume.abc.2"]);
  greet(sockets[1], { type: "session.resumed", received: 1 });
  const types = sockets[1].sent.map((each) => (typeof each === "string" ? JSON.parse(each).type : "audio"));
  assert.deepEqual(types, ["two", "three", "four", "audio"]);
  assert.deepEqual(resumed, [2]);
  sockets[1].onmessage({ data: '{"type":"error"}' });
  assert.deepEqual(events.map(({ type }) => type), ["session.created", "session.updated", "error"]);
  end(sockets[1], 1006);
  session.retry();
  assert.deepEqual(sockets[2].protocols[1], "vivavoce.resume.abc.3");
  assert.deepEqual(lost, ["server_lost", "server_lost"]);
  session.close();
  mock.timers.reset();
});

test("where the session is gone, what was typed meanwhile goes to the new one", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { sockets, events, greet, end, session } = setUp();
  greet(sockets[0], RESUMABLE);
  session.send({ type: "old" });
  end(sockets[0], 1006);
  const asked = ["response.cancel", "conversation.item.create", "response.create"];
  for (const type of asked) session.send({ type });
  session.retry();
  greet(sockets[1], { type: "session.created", resume: { token: "def", seconds: 60 } });
  assert.deepEqual(sockets[1].sent.map((each) => JSON.parse(each).type), asked.slice(1));
  assert.equal(events.length, 2);
  end(sockets[1], 1006);
  session.retry();
  assert.deepEqual(sockets[2].protocols[1], "vivavoce.resume.def.1");
  session.close();
  mock.timers.reset();
});

test("a line that may be dead is left behind at once", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { sockets, greet, lost, session } = setUp();
  session.renew();
  assert.equal(sockets.length, 1, "one that is just being opened is not");
  greet(sockets[0], RESUMABLE);
  session.renew();
  assert.equal(sockets.length, 2);
  assert.deepEqual(lost, ["server_lost"]);
  sockets[0].onclose?.({ code: 1006 });
  assert.equal(lost.length, 1);
  session.close();
  mock.timers.reset();
});

test("after the time of grace nothing waits any more", () => {
  let now = 1000;
  mock.method(performance, "now", () => now);
  mock.timers.enable({ apis: ["setTimeout"] });
  const { sockets, greet, end, session } = setUp();
  greet(sockets[0], RESUMABLE);
  end(sockets[0], 1006);
  now += 60_001;
  assert.equal(session.send({ type: "response.create" }), false);
  assert.equal(session.sendAudio(Int16Array.of(1)), false);
  session.close();
  mock.timers.reset();
  mock.restoreAll();
});

test("a server that was started anew counts from the beginning", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { sockets, resumed, greet, end, session } = setUp();
  greet(sockets[0], RESUMABLE);
  session.send({ type: "old" });
  end(sockets[0], 1006);
  session.send({ type: "response.create" });
  session.retry();
  greet(sockets[1], { type: "session.resumed", received: 0, restored: true });
  assert.deepEqual(sockets[1].sent, ['{"type":"response.create"}']);
  assert.deepEqual(resumed, ["restored"]);
  sockets[1].onmessage({ data: '{"type":"session.updated"}' });
  end(sockets[1], 1006);
  session.retry();
  assert.deepEqual(sockets[2].protocols[1], "vivavoce.resume.abc.1");
  greet(sockets[2], { type: "session.resumed", received: 0 });
  assert.deepEqual(sockets[2].sent, ['{"type":"response.create"}'], "it had not arrived");
  session.close();
  mock.timers.reset();
});

test("a line that does not answer is left behind; one that was slept through is taken anew", () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  const { sockets, greet, lost, resumed, session } = setUp();
  greet(sockets[0], RESUMABLE);
  session.send({ type: "response.create" });
  mock.timers.tick(8000);
  assert.deepEqual(lost, []);
  mock.timers.tick(2000);
  assert.deepEqual(lost, ["server_lost"]);
  mock.timers.tick(500);
  mock.timers.tick(9500);
  assert.deepEqual(lost, ["server_lost", "server_unreachable"], "nobody greets there");
  session.retry();
  greet(sockets.at(-1), { type: "session.resumed", received: 1 });
  const count = sockets.length;
  mock.timers.setTime(Date.now() + 60_000);
  mock.timers.tick(2000);
  assert.equal(sockets.length, count + 1);
  assert.equal(resumed.length, 1);
  session.close();
  mock.timers.reset();
});

test("where nothing is said, the server is asked for a word", () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  const { sockets, greet, session } = setUp();
  greet(sockets[0]);
  mock.timers.tick(16_000);
  assert.deepEqual(sockets[0].sent.map((each) => JSON.parse(each)), [{ type: "session.update", session: {} }]);
  session.close();
  mock.timers.reset();
});
