/** The connection: encodings, losses and returns, over a socket that does as it is told. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { backoff, closeReason, connect } from "../../web/session.js";

function setUp() {
  const sockets = [];
  const events = [];
  const lost = [];
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
    open,
  });
  const greet = (socket) => {
    socket.readyState = 1;
    socket.onmessage({ data: '{"type":"session.created"}' });
  };
  const end = (socket, code) => {
    socket.readyState = 3;
    socket.onclose({ code });
  };
  return { session, sockets, events, lost, greet, end };
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
