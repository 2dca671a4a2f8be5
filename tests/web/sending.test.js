/** Messages by HTTP: an answer's stream, its tools, a stream that breaks off, a page that turns away. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { EMPTY, reduce } from "../../web/conversation.js";
import { createSending } from "../../web/library-sending.js";
import { stored } from "./stored.js";

const CALL = { id: "call_1", name: "notes__add", arguments: '{"a":2}' };
const place = (message_id) => ({ conversation_id: "conv_1", message_id });

/** A page with a conversation, and a server that answers each request by `serve(method, path, body)`. */
function page(t, serve) {
  const asked = [];
  const failures = [];
  const client = {
    kept: { id: "conv_1" },
    conversation: EMPTY,
    reattached: 0,
    dispatch: (event) => (client.conversation = reduce(client.conversation, event)),
    reattach: () => client.reattached++,
  };
  t.mock.method(globalThis, "fetch", async (url, { method, body }) => {
    const path = String(url).replace("/api/v1/conversations/conv_1/messages", "");
    asked.push(`${method} ${path}`);
    return serve(method, path, body && JSON.parse(body));
  });
  const sending = createSending({
    client,
    settings: { model: "" },
    begin: async () => undefined,
    stored: () => undefined,
    reload: async () => undefined,
    fail: (error) => failures.push(error.code),
  });
  return { client, sending, asked, failures, item: (at) => client.conversation.items[at] };
}

/** A stream of events; `hold` keeps it open at its end until it is called. */
function stream(events, hold = Promise.resolve()) {
  const text = events.map(([kind, data]) => `event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`).join("");
  const body = new ReadableStream({
    async start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      await hold;
      try {
        controller.close();
      } catch {
        // The page has turned away.
      }
    },
  });
  return new Response(body, { status: 201 });
}
const json = (value, status = 200) => new Response(JSON.stringify(value), { status });
const until = async (holds) => {
  for (let tries = 0; !holds(); tries++) {
    assert.ok(tries < 400, "it never came to that");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

const started = (answer, message = null) => ["message.started", { message, answer: stored(answer, "assistant", "", { status: "streaming" }) }];
const used = (answer) => [
  ["tool.asked", { ...place(answer), call: CALL }],
  ["tool.called", { ...place(answer), call: CALL }],
  ["tool.answered", { ...place(answer), call_id: "call_1", output_id: "msg_out", failed: false }],
];
const done = (answer) => ["message.done", { answer: stored(answer, "assistant", "Five.", { tool_calls: [CALL] }) }];

test("an answer comes with the tool it used and what that gave", async (t) => {
  const it = page(t, (method, path, body) => {
    if (path === "/msg_out") return json(stored("msg_out", "tool", "5"));
    const { id, answer_id: answer } = body;
    return stream([started(answer, stored(id, "user", body.text)), ...used(answer), ["message.delta", { ...place(answer), offset: 0, text: "Five." }], done(answer)]);
  });
  await it.sending.send("Two and three?", []);
  await until(() => it.item(1).calls[0]?.output === "5");
  assert.deepEqual(it.client.conversation.items.map(({ text, final }) => [text, final]), [["Two and three?", true], ["Five.", true]]);
  assert.deepEqual(it.item(1).calls, [{ ...CALL, state: "done", output: "5" }]);
  assert.equal(it.client.reattached, 1);
  assert.equal(it.sending.busy, false);
});

test("a stream that breaks off is read anew, and nothing stands there twice", async (t) => {
  let answer = "";
  const it = page(t, (method, path, body) => {
    if (path === "/msg_out") return json(stored("msg_out", "tool", "5"));
    if (method === "GET") return stream([started(answer), ...used(answer), done(answer)]);
    answer = body.answer_id;
    return stream([started(answer, stored(body.id, "user", body.text)), used(answer)[0]]);
  });
  await it.sending.send("Two and three?", []);
  assert.deepEqual(it.asked.slice(0, 2), ["POST ", `GET /${answer}/stream`]);
  assert.deepEqual(it.item(1).calls.map(({ state }) => state), ["done"]);
  assert.equal(it.client.conversation.items.length, 2);
  assert.equal(it.item(1).text, "Five.");
});

test("what comes when another conversation is shown changes nothing there", async (t) => {
  let end = () => undefined;
  const hold = new Promise((resolve) => (end = resolve));
  const it = page(t, (method, path, body) => stream([started(body.answer_id, stored(body.id, "user", body.text))], hold));
  const sent = it.sending.send("Hello", []);
  await until(() => it.item(1)?.created === "2026-11-21T12:00:00Z");
  it.sending.leave();
  it.client.dispatch({ type: "local.opened", items: [] });
  end();
  await sent;
  assert.deepEqual(it.client.conversation.items, []);
  assert.equal(it.client.reattached, 0);
  assert.equal(it.sending.busy, false);
  assert.deepEqual(it.failures, []);
});

test("an answer that is being written elsewhere is joined", async (t) => {
  const it = page(t, () => stream([started("msg_a"), done("msg_a")]));
  await it.sending.join("msg_a");
  assert.deepEqual(it.asked.slice(0, 1), ["GET /msg_a/stream"]);
  assert.equal(it.item(0).text, "Five.");
  assert.equal(it.client.reattached, 1);
});

test("what is not there is told, and waited for no longer", async (t) => {
  const it = page(t, () => json({ code: "not_found", message: "no" }, 404));
  await it.sending.join("msg_a");
  assert.deepEqual(it.failures, ["not_found"]);
  assert.equal(it.sending.busy, false);
});

test("what could not be sent can be sent again", async (t) => {
  let broken = true;
  const it = page(t, (method, path, body) => {
    if (broken) throw new TypeError("no network");
    return stream([started(body.answer_id, stored(body.id, "user", body.text)), done(body.answer_id)]);
  });
  await it.sending.send("Hello", []);
  assert.deepEqual(it.client.conversation.items.map(({ trouble }) => trouble), ["unreachable"]);
  broken = false;
  it.sending.retry(it.item(0).id);
  await until(() => it.item(1)?.text === "Five.");
  assert.equal(it.item(0).trouble, "");
});

test("the user's word on a tool gets through, comes too late, or can be said again", async (t) => {
  let answer = () => new Response(null, { status: 204 });
  const it = page(t, () => answer());
  assert.equal(await it.sending.decide("msg_a", "call_1", "once"), true);
  assert.deepEqual(it.asked, ["POST /msg_a/calls/call_1"]);
  answer = () => json({ code: "not_running", message: "no" }, 409);
  assert.equal(await it.sending.decide("msg_a", "call_1", "once"), true);
  assert.deepEqual(it.failures, []);
  answer = () => {
    throw new TypeError("no network");
  };
  assert.equal(await it.sending.decide("msg_a", "call_1", "once"), false);
  assert.deepEqual(it.failures, ["unreachable"]);
});
