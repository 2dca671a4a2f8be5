// What the JavaScript programs share: their orders, their voice, and the report they end with.
// The same as stage.py.

import { readFileSync, writeFileSync } from "node:fs";

export const RATE = 24_000;
const PIECE = (RATE * 2) / 25; // bytes of 40 ms
const PATIENCE = 240_000; // milliseconds a scenario may take

export const INSTRUCTIONS = "You are a helpful guide. Be brief.";
export const VOICE = "bf_emma";
export const TYPED = "What is the capital of France?";
export const STORY = "Tell me a long story about a dragon and a castle.";

const [, , scenario, url, folder] = process.argv;
export const URL_ROOT = url;
export const WEBSOCKET = url.replace("http", "ws");

export const sleep = (/** @type {number} */ ms) => new Promise((done) => setTimeout(done, ms));

/** Say it as a microphone would, 40 ms at a time, and `after` seconds of silence. */
export async function speak(
  /** @type {string} */ name,
  /** @type {(pcm: Buffer) => void} */ send,
  after = 1.0,
) {
  const silence = Buffer.alloc(Math.floor(after * RATE) * 2);
  const pcm = Buffer.concat([readFileSync(`${folder}/${name}.pcm`), silence]);
  const began = performance.now();
  for (let at = 0; at < pcm.length; at += PIECE) {
    send(pcm.subarray(at, at + PIECE));
    const due = began + ((at + PIECE) / 2 / RATE) * 1000;
    await sleep(Math.max(0, due - performance.now()));
  }
}

/** Run the scenario that is asked for; the audio of its report goes to a file. */
export async function perform(/** @type {Record<string, () => Promise<any>>} */ scenarios) {
  setTimeout(() => {
    throw new Error("the scenario took too long");
  }, PATIENCE).unref();
  const { audio = Buffer.alloc(0), ...report } = await scenarios[scenario]();
  writeFileSync(`${folder}/reply.pcm`, audio);
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
