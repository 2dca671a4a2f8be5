/** The microphone's way out and a reply's way in, over codecs that answer late and write down the samples. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { unpack } from "../../web/opus.js";
import { createOpusDecoder, opusWorks } from "../../web/opus-codec.js";
import { createUplink } from "../../web/uplink.js";

const later = () => new Promise((resolve) => setTimeout(resolve, 1));

/** What both codecs of a browser have in common: they do one thing after another, and not at once. */
class Codec {
  static broken = false;
  state = "unconfigured";
  #chain = Promise.resolve();
  constructor({ output, error }) {
    Object.assign(this, { output, error });
  }
  configure() {
    this.state = "configured";
  }
  close() {
    this.state = "closed";
  }
  run(job) {
    this.#chain = this.#chain.then(later).then(() => {
      if (this.state === "closed") throw new DOMException("closed", "AbortError");
      if (!Codec.broken) return job();
      this.state = "closed";
      this.error(new Error("broken"));
    });
    this.#chain.catch(() => {});
    return this.#chain;
  }
  flush() {
    return this.run(() => {});
  }
}

before(() => {
  globalThis.AudioData = class {
    constructor(init) {
      Object.assign(this, init);
    }
    close() {}
  };
  globalThis.EncodedAudioChunk = class {
    constructor({ data }) {
      this.data = data;
    }
  };
  // A packet is a first byte that says 20 ms, and 480 samples.
  globalThis.AudioEncoder = class extends Codec {
    #rest = [];
    encode({ data }) {
      void this.run(() => {
        this.#rest.push(...data);
        while (this.#rest.length >= 480) {
          const samples = Int16Array.from(this.#rest.splice(0, 480));
          const packet = new Uint8Array(962);
          packet[0] = 0x78;
          packet.set(new Uint8Array(samples.buffer), 2);
          this.output({ byteLength: packet.length, copyTo: (to) => to.set(packet) });
        }
      }).catch(() => {});
    }
  };
  // What comes out lies 156 samples behind, as in libopus.
  globalThis.AudioDecoder = class extends Codec {
    #held = new Array(156).fill(0);
    decode({ data }) {
      void this.run(() => {
        this.#held.push(...new Int16Array(data.slice(2).buffer));
        const samples = this.#held.splice(0, 480);
        this.output({
          sampleRate: 24_000,
          numberOfFrames: 480,
          copyTo: (to) => to.set(samples.map((sample) => sample / 32768)),
          close() {},
        });
      }).catch(() => {});
    }
  };
});

const count = (from, length) => Int16Array.from({ length }, (_, i) => from + i);

function setUp() {
  const sent = [];
  const failures = [];
  const uplink = createUplink({ send: (sound) => sent.push(sound), onFail: (error) => failures.push(error.message) });
  return { uplink, sent, failures };
}

test("samples go as they are, until Opus is agreed upon", async () => {
  const { uplink, sent } = setUp();
  uplink.send(count(0, 480));
  uplink.compress(true);
  for (let at = 0; at < 960; at += 480) uplink.send(count(at, 480));
  uplink.send(count(960, 100));
  await uplink.drain();
  assert.ok(sent[0] instanceof Int16Array);
  const pieces = sent.slice(1).map((sound) => unpack(sound));
  assert.deepEqual(pieces.map(({ begins }) => begins), [true, false, false]);
  assert.equal(pieces.reduce((sum, { samples }) => sum + samples, 0), 1060);
});

test("what is drained is one stream, what follows another; between them nothing is heard", async () => {
  const { uplink, sent } = setUp();
  uplink.compress(true);
  uplink.send(count(0, 480));
  const drained = uplink.drain();
  uplink.send(count(480, 480));
  await drained;
  uplink.send(count(0, 480));
  await uplink.drain();
  const pieces = sent.map((sound) => unpack(sound));
  assert.deepEqual(pieces.map(({ begins }) => begins), [true, false, true, false]);
  assert.equal(pieces.reduce((sum, { samples }) => sum + samples, 0), 960);
});

test("nothing of before comes after a new beginning", async () => {
  const { uplink, sent } = setUp();
  uplink.compress(true);
  for (let at = 0; at < 4800; at += 480) uplink.send(count(at, 480));
  uplink.restart();
  await later();
  const before = sent.length;
  uplink.send(count(0, 480));
  await uplink.drain();
  assert.ok(unpack(sent[before]).begins);
  assert.equal(sent.length - before, 2);
});

test("a codec that breaks is done without", async () => {
  const { uplink, sent, failures } = setUp();
  uplink.compress(true);
  Codec.broken = true;
  uplink.send(count(0, 480));
  await later();
  await later();
  Codec.broken = false;
  assert.deepEqual(failures, ["broken"]);
  uplink.send(count(0, 480));
  assert.ok(sent.at(-1) instanceof Int16Array);
});

/** The pieces of `samples`. */
async function encoded(samples) {
  const { uplink, sent } = setUp();
  uplink.compress(true);
  uplink.send(samples);
  await uplink.drain();
  return sent;
}

test("a reply comes out whole before anything that is to follow it", async () => {
  const log = [];
  const heard = { a: [], b: [] };
  const onSamples = (key, samples) => {
    log.push(key);
    heard[key].push(...samples);
  };
  const decoder = createOpusDecoder({ onSamples, onFail: assert.fail });
  void decoder.after(() => log.push("at once"));
  assert.deepEqual(log, ["at once"]);
  for (const piece of await encoded(count(1, 1000))) decoder.decode("a", piece);
  const first = decoder.after(() => log.push("a is over"));
  for (const piece of await encoded(count(5, 77))) decoder.decode("b", piece);
  await Promise.all([first, decoder.after(() => log.push("b is over"))]);
  assert.deepEqual(heard, { a: [...count(1, 1000)], b: [...count(5, 77)] });
  assert.equal(log.indexOf("a is over"), log.lastIndexOf("a") + 1);
  assert.deepEqual(log.slice(-2), ["b", "b is over"]);
});

test("an interruption ends it: nothing more comes, and nothing follows", async () => {
  const log = [];
  const decoder = createOpusDecoder({ onSamples: (key) => log.push(key), onFail: assert.fail });
  for (const piece of await encoded(count(1, 4800))) decoder.decode("a", piece);
  const after = decoder.after(() => log.push("over"));
  decoder.reset();
  for (const piece of await encoded(count(1, 10))) decoder.decode("b", piece);
  await Promise.all([after, decoder.after(() => log.push("b is over"))]);
  assert.deepEqual(log, ["b", "b is over"]);
});

test("it is relied on where every sample comes back", async () => {
  assert.equal(await opusWorks(), true);
});
