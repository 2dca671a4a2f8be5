// @ts-check
/** The tools that were called for an answer, in the document; where the user's word is wanted, the question. */

import { argumentsOf, nameOf } from "./calls.js";
import { message } from "./messages.js";

/** @typedef {import("./calls.js").Call} Call */
/** @typedef {"once" | "always" | "no" | "never"} Word */

/** @typedef {(call: string, word: Word) => Promise<boolean> | undefined} Decide false: it did not get through */

/** @type {readonly Word[]} */
const WORDS = ["once", "always", "no", "never"];

/**
 * @param {HTMLElement} turn
 * @param {readonly Call[]} calls
 * @param {Decide} decide
 */
export function showCalls(turn, calls, decide) {
  const found = turn.querySelector(":scope > .calls");
  if (calls.length === 0) return found?.remove();
  const list = found ?? document.createElement("ul");
  if (!found) {
    list.className = "calls";
    list.ariaLabel = message("call.list");
    turn.querySelector(".who")?.after(list);
  }
  calls.forEach((call, index) => {
    const before = list.children[index];
    const shown = JSON.stringify(call);
    if (before instanceof HTMLElement && before.dataset["shown"] === shown) return;
    const line = document.createElement("li");
    line.dataset["shown"] = shown;
    line.dataset["state"] = call.state;
    line.append(call.state === "asked" ? questionOf(call, decide) : reportOf(call));
    if (!before) return list.append(line);
    const open = before.querySelector("details")?.open ?? false;
    const focused = before.contains(document.activeElement);
    before.replaceWith(line);
    const report = line.querySelector("details");
    if (report) report.open = open;
    // Whoever has just answered stays where they were.
    if (focused) report?.querySelector("summary")?.focus();
  });
}

/**
 * @param {Call} call
 * @param {Decide} decide
 */
function questionOf(call, decide) {
  const group = document.createElement("div");
  group.role = "group";
  const question = document.createElement("p");
  question.textContent = group.ariaLabel = message("call.question", { name: nameOf(call.name) });
  group.append(question, ...given(call));
  const row = document.createElement("div");
  row.className = "words";
  /** @param {Word | null} word */
  const settle = (word) => {
    if (word) row.dataset["said"] = word;
    else delete row.dataset["said"];
    for (const each of row.children) each.setAttribute("aria-disabled", String(word !== null));
  };
  for (const word of WORDS) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = word === "once" ? "plain strong" : "plain";
    button.textContent = message(`call.${word}`);
    button.addEventListener("click", async () => {
      if (row.dataset["said"] !== undefined) return;
      // One word is enough; the server says what becomes of it.
      settle(word);
      if ((await decide(call.id, word)) === false) settle(null);
    });
    row.append(button);
  }
  group.append(row);
  return group;
}

/** @param {Call} call */
function reportOf(call) {
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  const state = document.createElement("span");
  state.className = "state";
  state.textContent = message(call.state === "failed" ? "call.failed" : call.state === "done" ? "call.done" : "call.called");
  summary.append(nameOf(call.name), " ", state);
  details.append(summary, ...given(call));
  if (call.output) details.append(...labelled("call.output", call.output));
  return details;
}

/** @param {Call} call */
function given(call) {
  const text = argumentsOf(call.arguments);
  return text ? labelled("call.arguments", text) : [];
}

/**
 * @param {"call.arguments" | "call.output"} key
 * @param {string} text
 */
function labelled(key, text) {
  const label = document.createElement("p");
  label.className = "label";
  label.textContent = message(key);
  const block = document.createElement("pre");
  block.textContent = text;
  // Long lines are scrolled to, by key too.
  block.tabIndex = 0;
  block.role = "region";
  block.ariaLabel = message(key);
  return [label, block];
}
