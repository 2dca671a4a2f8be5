// @ts-check
/** What stands in a turn beside its words: files, times, buttons. */

import { icon } from "./icons.js";
import { message } from "./messages.js";

/** @typedef {import("./items.js").Item} Item */
/** @typedef {import("./messages.js").MessageKey} MessageKey */

/** The order in which a turn's timings are told. @type {readonly string[]} */
const STAGES = ["voice_to_voice", "vad", "turn", "stt", "llm_first_token", "llm", "tts"];

/**
 * What was sent with a turn: pictures as they are, the rest by name.
 * @param {HTMLElement} node
 * @param {Item["files"]} files
 */
export function showFiles(node, files) {
  if (files.length === 0 || node.querySelector(".files")) return;
  const list = document.createElement("ul");
  list.className = "files";
  for (const file of files) {
    const link = document.createElement("a");
    link.href = `/api/v1/attachments/${file.id}/content`;
    link.download = file.name;
    if (file.media_type.startsWith("image/")) {
      const picture = document.createElement("img");
      picture.src = link.href;
      picture.alt = file.name;
      picture.loading = "lazy";
      link.append(picture);
    } else link.textContent = file.name;
    const line = document.createElement("li");
    line.append(link);
    list.append(line);
  }
  node.querySelector(".who")?.after(list);
}

/** @param {Readonly<Record<string, number>>} timings */
export function timingsOf(timings) {
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.ariaLabel = summary.title = message("turn.timings");
  summary.append(icon("clock"));
  const list = document.createElement("dl");
  list.className = "timings";
  for (const stage of STAGES) {
    const ms = timings[stage];
    if (ms === undefined) continue;
    const name = document.createElement("dt");
    name.textContent = message(/** @type {MessageKey} */ (`timing.${stage}`));
    const value = document.createElement("dd");
    value.textContent = message("timing.value", { ms: Math.round(ms) });
    list.append(name, value);
  }
  details.append(summary, list);
  return details;
}

/**
 * @param {MessageKey} key
 * @param {import("./icons.js").IconName} name
 * @param {() => void} act
 */
export function button(key, name, act) {
  const node = document.createElement("button");
  node.type = "button";
  node.dataset["act"] = name;
  node.ariaLabel = node.title = message(key);
  node.append(icon(name));
  node.addEventListener("click", act);
  return node;
}

/**
 * @param {MessageKey} key
 * @param {"button" | "submit"} type
 */
export function plainButton(key, type) {
  const node = document.createElement("button");
  node.type = type;
  node.className = "plain";
  node.textContent = message(key);
  return node;
}
