// @ts-check
/** The page put together: events in, sound and words out. */

import { createAura } from "./aura.js";
import { bindMessageBox, bindSettings, bindTalkControls } from "./controls.js";
import { EMPTY, reduce } from "./conversation.js";
import { offerDiagnostics } from "./diagnostics.js";
import { languageName } from "./messages.js";
import { MicrophoneError, audioAllowed, openMicrophone } from "./microphone.js";
import { phaseOf } from "./phase.js";
import { createReplies } from "./replies.js";
import { connect } from "./session.js";
import { fetchChoices, loadSettings, saveSettings, sessionUpdate } from "./settings.js";
import { bindSignIn } from "./signin.js";
import { createSpeaker } from "./speaker.js";
import { createTalk } from "./talk.js";
import { createView, fillMessages, findElements } from "./view.js";

/** Answers to a race that is nobody's fault: the reply had just ended, the tap was empty. */
const HARMLESS = new Set(["input_audio_buffer_commit_empty", "response_cancel_not_active"]);

const elements = findElements();
fillMessages();
const view = createView(elements);
const settings = loadSettings();
const canTalk = audioAllowed();

let conversation = EMPTY;
/** @type {"connecting" | "online" | "offline"} */
let line = "connecting";
let microphoneLevel = 0;
let speakerLevel = 0;
/** @type {Promise<import("./microphone.js").Microphone> | null} */
let microphone = null;
let microphoneOpen = false;
/** Languages that no voice speaks, as far as the user was told. @type {Set<string>} */
const voiceless = new Set();
/** @type {ReturnType<typeof phaseOf>} */
let phase = "connecting";

const speaker = createSpeaker({
  onPlayed({ itemId, ms, done }) {
    const report = { item_id: itemId, audio_end_ms: ms, done };
    session.send({ type: "output_audio_buffer.played", ...report });
    dispatch({ type: "local.played", ...report });
  },
  onLevel(level) {
    speakerLevel = level;
    refresh();
  },
});

const replies = createReplies(speaker);

const talk = createTalk({
  send: (event) => session.send(event),
  sendAudio: (samples) => session.sendAudio(samples),
  openMicrophone: startMicrophone,
  drainMicrophone: async () => (await microphone)?.drain(),
  stopPlayback: () => speaker.stop(),
  replying: () => conversation.response !== null || conversation.awaiting,
  sounding: () => speaker.sounding,
  dropReply() {
    replies.drop(conversation);
    dispatch({ type: "local.dropped" });
  },
  configure,
  asked: () => dispatch({ type: "local.asked" }),
  notify: (notice) => view.notify(`notice.${notice}`, { passing: true }),
  fail(error) {
    const code = error instanceof MicrophoneError ? error.code : "microphone_failed";
    if (!(error instanceof MicrophoneError)) console.error(error);
    view.notify(`notice.${code}`);
  },
  changed: refresh,
});

const socketUrl = new URL("/v1/realtime", location.href);
socketUrl.protocol = location.protocol === "https:" ? "wss:" : "ws:";
const session = connect({ url: socketUrl.href, onEvent: receive, onLost: lose });
const door = bindSignIn(elements, { onSignedIn: () => session.retry() });

/** @param {import("./protocol.js").WireEvent} event */
function receive(event) {
  replies.hear(event, conversation);
  switch (event.type) {
    case "response.output_audio.delta":
      if (speaker.blocked) view.notify("notice.sound_blocked");
      return;
    case "session.created":
      greet();
      break;
    case "response.done":
      if (event.response.status === "failed") view.notify("notice.reply_failed");
      break;
    case "response.voice_missing":
      missVoice(event["language"]);
      break;
    case "error":
      complain(event["error"]);
      break;
  }
  dispatch(event);
}

function greet() {
  line = "online";
  view.settle("notice.server_lost", "notice.server_unreachable", "notice.server_full");
  view.settle("notice.server_refused", "notice.not_connected");
  configure();
  void door.look();
  if (choices.voices.length === 0) void loadChoices();
}

/** @param {Parameters<Parameters<typeof connect>[0]["onLost"]>[0]} reason */
function lose(reason) {
  line = "offline";
  talk.abandon();
  speaker.finish();
  if (!door.asking) view.notify(`notice.${reason}`);
  void door.look().then((answer) => answer === "locked" && view.settle(`notice.${reason}`));
  dispatch({ type: "local.lost" });
}

/** @param {{ code?: string, message: string }} error */
function complain({ code, message }) {
  if (code && HARMLESS.has(code)) return;
  view.notify("notice.server_error", { values: { message } });
}

/** Said once for each language. @param {string} language */
function missVoice(language) {
  if (voiceless.has(language)) return;
  voiceless.add(language);
  view.notify("notice.voice_missing", { values: { language: languageName(language) } });
}

function configure() {
  const { languages } = navigator;
  const mode = { handsFree: talk.handsFree, canPlay: canTalk, languages };
  session.send(sessionUpdate(settings, mode));
}

/** Open the microphone, or find it open. Called inside a gesture. */
async function startMicrophone() {
  if (!canTalk) throw new MicrophoneError("insecure_origin");
  microphone ??= speaker.unlock().then((context) =>
    openMicrophone(context, {
      onFrame(samples, level) {
        microphoneLevel = level;
        talk.hear(samples);
        refresh();
      },
      onLost() {
        microphone = null;
        microphoneOpen = false;
        microphoneLevel = 0;
        talk.abandon();
        void talk.setHandsFree(false);
        view.notify("notice.microphone_lost");
        refresh();
      },
    }),
  );
  try {
    await microphone;
    microphoneOpen = true;
    view.settle("notice.microphone_denied", "notice.microphone_missing", "notice.microphone_busy");
    view.settle("notice.microphone_failed", "notice.microphone_lost");
  } catch (error) {
    microphone = null;
    throw error;
  }
}

/** @param {import("./protocol.js").WireEvent} event */
function dispatch(event) {
  const before = conversation;
  conversation = reduce(conversation, event);
  if (conversation.items !== before.items) {
    view.showConversation(conversation.items, { announce: !settings.speakReplies || !canTalk });
  }
  refresh();
}

/** What the eye sees of a level: -55 dB is nothing, -5 dB and louder all. @param {number} rms */
function visible(rms) {
  return rms > 0 ? Math.max(0, Math.min(1, (20 * Math.log10(rms) + 55) / 50)) : 0;
}

function shownLevel() {
  return visible(phase === "speaking" ? speakerLevel : talk.streaming ? microphoneLevel : 0);
}

const aura = createAura(elements.aura, () => ({ phase, level: shownLevel() }));

let shown = "";
function refresh() {
  phase = phaseOf({
    line,
    held: talk.held && microphoneOpen,
    handsFree: talk.handsFree,
    level: microphoneLevel,
    userSpeaking: conversation.userSpeaking,
    playing: speaker.playing,
    answering: conversation.response !== null || conversation.awaiting,
  });
  view.showLevel(shownLevel());
  const { held, handsFree } = talk;
  elements.handsFree.checked = handsFree;
  const now = `${phase} ${held} ${handsFree}`;
  if (now === shown) return aura.wake();
  shown = now;
  view.showPhase({ phase, handsFree, held, canTalk });
  aura.refresh();
}

/** Wake the sound, inside a gesture. Replies are still written if that fails. */
function unlock() {
  if (!canTalk) return;
  speaker.unlock().catch((error) => {
    console.error(error);
    view.notify("notice.sound_failed");
  });
}

/** In hands-free the button ends what goes on: the reply, else the listening. */
function press() {
  if (!canTalk) return view.notify("notice.insecure_origin");
  if (line !== "online") return view.notify("notice.not_connected", { passing: true });
  unlock();
  if (!talk.handsFree) return talk.press();
  if (speaker.sounding || conversation.response) void talk.stopReply();
  else void talk.setHandsFree(false);
}

bindTalkControls(elements.talk, {
  press,
  release: () => void talk.release(),
  stop: () => void talk.stopReply(),
});
bindMessageBox(elements.form, elements.box, (text) => {
  if (settings.speakReplies) unlock();
  return talk.say(text);
});

bindSettings(elements.settings);

/** @type {Awaited<ReturnType<typeof fetchChoices>>} */
let choices = { voices: [], defaultVoice: "", languages: [] };
async function loadChoices() {
  choices = await fetchChoices();
  view.showSettings(settings, choices);
}
view.showSettings(settings, choices);

elements.handsFree.addEventListener("change", () => {
  unlock();
  void talk.setHandsFree(elements.handsFree.checked).then(refresh);
});
for (const control of [elements.voice, elements.language, elements.speakReplies]) {
  control.addEventListener("change", () => {
    settings.voice = elements.voice.value;
    settings.language = elements.language.value;
    settings.speakReplies = elements.speakReplies.checked;
    saveSettings(settings);
    configure();
  });
}

// iOS suspends sound on its own, and a reply may have come before the first touch.
document.addEventListener("pointerdown", () => {
  if (!speaker.sounding) return;
  unlock();
  view.settle("notice.sound_blocked");
});
window.addEventListener("online", () => session.retry());
document.addEventListener("visibilitychange", () => !document.hidden && session.retry());

if (!canTalk) view.notify("notice.insecure_origin");
elements.settings.open = window.matchMedia("(min-width: 60rem) and (min-height: 46rem)").matches;
offerDiagnostics(() => ({
  phase,
  conversation,
  speaker: speaker.counters,
  stale: replies.stale,
  unsent: session.dropped,
}));
refresh();
