// @ts-check
/** The page put together: a conversation, the document it is shown in, and the ways to steer it. */

import { applyColours, applyLanguage, followSystem, keepLanguage } from "./appearance.js";
import { createAura } from "./aura.js";
import { breath, spareTime } from "./breath.js";
import { createClient } from "./client.js";
import { commandsFor } from "./commands.js";
import { bindMessageBox, bindTalkControls } from "./controls.js";
import { offerDiagnostics } from "./diagnostics.js";
import { createHeadset } from "./headset.js";
import { readAddress } from "./library-address.js";
import { languageName, message } from "./messages.js";
import { bindPreferences } from "./preferences.js";
import { fetchChoices, fromServer, loadSettings, saveSettings } from "./settings.js";
import { bindSignIn } from "./signin.js";
import { createTurns } from "./turns.js";
import { createView, fillMeter, fillMessages, findElements, visible } from "./view.js";
import { registerWorker } from "./worker.js";

/** @typedef {import("./view.js").Mode} Mode */

const settings = loadSettings();
applyColours(settings);
keepLanguage(settings.pageLanguage);
await applyLanguage(settings.pageLanguage);
fillMessages();
await breath();

const elements = findElements();
const view = createView(elements);
/** @type {Mode} */
let mode = settings.mode === "text" ? "text" : "hold";
/** Languages that no voice speaks, as far as the user was told. @type {Set<string>} */
const voiceless = new Set();

const client = createClient(
  {
    changed: refresh,
    show: showConversation,
    notify: view.notify,
    settle: view.settle,
    greeted() {
      view.settle("notice.server_lost", "notice.server_unreachable", "notice.server_full");
      view.settle("notice.server_refused", "notice.not_connected");
      void askServer();
    },
    kept: (id) => library?.begun(id),
    lost(reason) {
      if (!door.asking) view.notify(`notice.${reason}`);
      document.body.toggleAttribute("data-unkept", !library);
      void door.look().then((answer) => answer === "locked" && view.settle(`notice.${reason}`));
    },
    voiceMissing(language) {
      // Said once for each language.
      if (voiceless.has(language)) return;
      voiceless.add(language);
      view.notify("notice.voice_missing", { values: { language: languageName(language) } });
    },
  },
  { settings, conversation: readAddress(location.hash).id },
);
const { talk, speaker, session, canTalk } = client;
const door = bindSignIn(elements, { onSignedIn: () => session.retry() });
const aura = createAura(elements.aura, () => ({ phase: client.phase, level: shownLevel() }));
const headset = createHeadset(toggleTalk);

const turns = createTurns(elements, {
  copy: (text) => void copy(text),
  replay,
  resend(id, text) {
    client.unlock();
    void (library?.written() ? library : client).resend(id, text);
  },
  regenerate,
  choose: (id, version) => library?.choose(id, version),
  compare: (id) => void library?.compare(id),
  branch: (id) => library?.branch(id),
  decide: (id, call, word) => library?.decide(id, call, word),
  retry: (id) => library?.retry(id),
  takeBack: (id) => library?.takeBack(id),
});

/** @param {string} id */
function replay(id) {
  client.unlock();
  if (!library?.replay(id)) client.replay(id);
}

/** @param {string} id */
function regenerate(id) {
  client.unlock();
  void (library?.written() ? library : client).regenerate(id);
}

/** @param {import("./conversation.js").Conversation} conversation */
function showConversation({ items }) {
  document.body.toggleAttribute("data-empty", items.length === 0);
  elements.empty.hidden = items.length > 0;
  turns.show(items, { announce: !settings.speakReplies || !canTalk });
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    view.notify("turn.copied", { passing: true });
  } catch {
    view.notify("notice.copy_failed", { passing: true });
  }
}

function shownLevel() {
  const { microphone, speaker: sound } = client.levels;
  return visible(client.phase === "speaking" ? sound : talk.streaming ? microphone : 0);
}

let shown = "";
function refresh() {
  view.showLevel(shownLevel());
  turns.follow(client.position);
  if (elements.settings.open) {
    fillMeter(elements.levelMicrophone, visible(client.levels.microphone));
    fillMeter(elements.levelSpeaker, visible(client.levels.speaker));
  }
  const { phase, busy } = client;
  const { held, handsFree } = talk;
  if (mode === "free" && !handsFree && !starting) mode = "hold";
  const now = `${phase} ${held} ${mode} ${busy} ${elements.box.value.trim() !== ""}`;
  if (now === shown) return aura.wake();
  shown = now;
  view.showPhase({ phase, mode, held, busy, canTalk, phrase: settings.wakePhrase });
  showMode();
  showSend();
  aura.refresh();
}

function showMode() {
  for (const input of elements.modes.querySelectorAll("input")) input.checked = input.value === mode;
  const hint = mode === "text" ? "conversation.empty.text" : "conversation.empty";
  elements.emptyHint.textContent = message(hint);
}

/** The round button beside the box sends what is in it, or else stops the reply. */
function showSend() {
  const does = elements.box.value.trim() ? "send" : client.busy ? "stop" : "nothing";
  elements.send.dataset["does"] = does;
  elements.send.setAttribute("aria-label", message(does === "stop" ? "text.stop" : "text.send"));
}

let starting = false;
/** Talk in another way; the conversation goes on. @param {Mode} wanted */
async function setMode(wanted) {
  mode = wanted;
  starting = wanted === "free";
  refresh();
  if (wanted !== "text") client.unlock();
  await talk.setHandsFree(wanted === "free");
  starting = false;
  if (wanted === "text") await client.closeMicrophone();
  if (wanted !== "free") settings.mode = wanted;
  saveSettings(settings);
  refresh();
}

/** In hands-free the button ends what goes on: the reply, else the listening. */
function press() {
  if (!canTalk) return view.notify("notice.insecure_origin");
  if (client.line !== "online") return view.notify("notice.not_connected", { passing: true });
  client.unlock();
  if (!talk.handsFree) return talk.press();
  if (client.busy) void talk.stopReply();
  else talk.setMuted(!talk.muted);
}

/** One button, without a release: a headset's. */
function toggleTalk() {
  if (talk.held) void talk.release();
  else press();
}

bindTalkControls(elements.talk, {
  press,
  release: () => void talk.release(),
  stop,
  byKey: () => mode !== "text",
});
/** Whatever goes on. */
function stop() {
  library?.stop();
  void talk.stopReply();
}

bindMessageBox(elements.form, elements.box, {
  async say(text) {
    if (library?.sending || library?.uploading) return false;
    if (settings.speakReplies) client.unlock();
    const said = await (library?.written() ? library.send(text) : talk.say(text));
    if (said) library?.sent();
    return said;
  },
  stop,
  editLast: () => turns.editLast(),
  typed: showSend,
});
elements.modes.addEventListener("change", ({ target }) => {
  if (target instanceof HTMLInputElement) void setMode(/** @type {Mode} */ (target.value));
});
elements.clear.addEventListener("click", () => void clear());

async function clear() {
  if (library) return library.fresh();
  await client.clear();
  elements.box.focus();
}

const preferences = bindPreferences(elements, settings, {
  changed(name) {
    saveSettings(settings);
    library?.set(name);
    if (name === "pageLanguage") return void relabel();
    if (name === "theme" || name === "contrast") return recolour();
    if (name === "headset") return void headset.use(settings.headset);
    if (name === "speaker") return speaker.useDevice(settings.speaker);
    if (["microphone", "echo", "noise", "gain"].includes(name)) return void reopen();
    client.configure();
    refresh();
  },
  ask: () => Promise.all([fetchChoices(), library?.models().catch(() => []) ?? []]),
});

/** Another microphone, or the same one treated otherwise. */
async function reopen() {
  if (!client.microphoneOpen) return;
  const free = talk.handsFree;
  await talk.setHandsFree(false);
  await client.closeMicrophone();
  if (free) await setMode("free");
}

function recolour() {
  applyColours(settings);
  aura.refresh();
}

async function relabel() {
  keepLanguage(settings.pageLanguage);
  await applyLanguage(settings.pageLanguage);
  fillMessages();
  preferences.show();
  turns.redraw();
  library?.relabel();
  shown = "";
  refresh();
}

/** It is there: what the page wants to know of it, one after the other. */
async function askServer() {
  await breath();
  void door.look();
  await spareTime();
  if (client.kept.on) void loadLibrary();
  else document.body.toggleAttribute("data-unkept", true);
}

preferences.show();

/** The conversations that are kept, once they are there. @type {import("./library.js").Library | null} */
let library = null;
let looking = false;
async function loadLibrary() {
  if (library || looking) return;
  looking = true;
  const { openLibrary } = await import("./library.js");
  library = await openLibrary({ elements, client, settings, view, typed: refresh, settingsTold });
  looking = false;
  document.body.toggleAttribute("data-unkept", !library);
  if (!library) return;
  await breath();
  await library.start();
}

/** They were changed in another browser. @param {Partial<Record<string, string>>} told */
function settingsTold(told) {
  const changed = fromServer(settings, told);
  if (changed.length === 0) return;
  saveSettings(settings);
  preferences.show();
  recolour();
  client.configure();
}

async function openCommands() {
  if (elements.palette.open) return elements.palette.close();
  const { openPalette } = await import("./palette.js");
  const spoken = client.conversation.items.findLast(({ role }) => role === "assistant");
  openPalette(
    elements.palette,
    commandsFor({
      settings,
      last: spoken,
      busy: client.busy,
      empty: client.conversation.items.length === 0,
      setMode: (wanted) => void setMode(wanted),
      stop,
      library,
      write: () => elements.box.focus(),
      clear: () => void clear(),
      copy: (text) => void copy(text),
      replay,
      regenerate,
      openSettings: () => void preferences.open(),
      choose(name, value) {
        Object.assign(settings, { [name]: value });
        saveSettings(settings);
        library?.set(name);
        preferences.show();
        if (name === "pageLanguage") void relabel();
        else if (name === "speakReplies") client.configure();
        else recolour();
      },
    }),
  );
}
elements.openPalette.addEventListener("click", () => void openCommands());
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey) shortcut(event);
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey) return;
  event.preventDefault();
  if (!elements.settings.open) void openCommands();
});

/** @param {KeyboardEvent} event with Ctrl or Cmd */
function shortcut(event) {
  if (!library || !event.shiftKey || event.altKey || document.querySelector("dialog[open]")) return;
  /** @type {Record<string, () => void>} */
  const keys = { KeyF: library.search, KeyO: () => void clear(), KeyS: library.toggle };
  const run = keys[event.code];
  if (!run) return;
  event.preventDefault();
  run();
}

// iOS suspends sound on its own, and a reply may have come before the first touch.
document.addEventListener("pointerdown", () => {
  if (settings.headset) void headset.use(true);
  if (!speaker.sounding && !client.microphoneOpen) return;
  client.unlock();
  view.settle("notice.sound_blocked", "notice.sound_interrupted");
});
window.addEventListener("online", () => session.renew());
document.addEventListener("resume", () => session.renew());
document.addEventListener("visibilitychange", () => !document.hidden && session.retry());
followSystem(recolour);

if (!canTalk) view.notify("notice.insecure_origin");
offerDiagnostics(() => ({
  phase: client.phase,
  mode,
  conversation: client.conversation,
  speaker: speaker.counters,
  stale: client.replies.stale,
  unsent: session.dropped,
}));
refresh();
registerWorker();
