// @ts-check
/**
 * The kiosk: a conversation for whoever comes by, on a screen that nobody tends. Hands-free, one visitor
 * after the other, each one's words wiped when they have gone; whatever fails is begun anew by itself.
 */

import { applyColours, applyLanguage, followSystem } from "../appearance.js";
import { createAura } from "../aura.js";
import { breath } from "../breath.js";
import { createClient } from "../client.js";
import { heardLength } from "../heard.js";
import { message } from "../messages.js";
import { DEFAULTS } from "../settings.js";
import { bindSignIn } from "../signin.js";
import { drawSpoken } from "../spoken.js";
import { element, fillMessages, visible } from "../view.js";
import { registerWorker } from "../worker.js";
import { bindOperator, keepInside } from "./operator.js";
import { askConfiguration, sendBeats, stayAwake } from "./service.js";
import { createIdle, createWatchdog } from "./watchdog.js";

/** Shorter losses of the line are not shown. */
const AWAY_MS = 3000;

const config = await askConfiguration();
const settings = {
  ...DEFAULTS,
  voice: config.voice,
  wakePhrase: config.wake_phrase,
  theme: config.theme,
  contrast: config.contrast,
  pageLanguage: config.page_language,
};
applyColours(settings);
await applyLanguage(settings.pageLanguage);
fillMessages();
await breath();

const stage = element("stage", HTMLElement);
const talkButton = element("talk", HTMLButtonElement);
const said = element("said", HTMLElement);
const reply = element("reply", HTMLElement);
const ending = element("ending", HTMLElement);
const title = element("title", HTMLElement);
const phaseText = element("phase", HTMLElement);
const greeting = element("greeting", HTMLElement);

const watchdog = createWatchdog(performance.now());
const idle = createIdle(config.idle_seconds * 1000);
/** @type {"start" | "attract" | "talking" | "away" | "deaf"} */
let state = "start";
let begun = false;
let opening = false;
let lostAt = 0;
let outdated = false;

const client = createClient(
  {
    changed: refresh,
    show({ items }) {
      if (items.length > 0) idle.touch(performance.now());
    },
    notify(key) {
      if (key.startsWith("notice.server") || key === "notice.reply_failed") console.info(message(key, { message: "" }));
    },
    settle() {},
    greeted() {
      // Whoever was here has been forgotten by the server: the screen forgets them too.
      if (client.conversation.items.some(({ role }) => role === "resumed")) void wipe();
      lostAt = 0;
      void door.look();
      void look();
    },
    lost() {
      lostAt ||= performance.now();
      void door.look();
    },
    voiceMissing() {},
  },
  {
    settings,
    instructions: config.prompt,
    ...(config.languages.length > 0 ? { languages: config.languages } : {}),
    windowMs: config.followup_seconds * 1000,
  },
);
const { talk, session } = client;
const door = bindSignIn(
  {
    signIn: element("sign-in", HTMLFormElement),
    signInKey: element("sign-in-key", HTMLInputElement),
    signInError: element("sign-in-error", HTMLElement),
    signOut: element("sign-out", HTMLButtonElement),
  },
  { onSignedIn: () => location.reload() },
);
const aura = createAura(element("aura", HTMLCanvasElement), () => ({
  phase: client.phase,
  level: visible(client.phase === "speaking" ? client.levels.speaker : client.levels.microphone),
}));
const beats = sendBeats(() => (state === "start" ? "attract" : state));

/** Listen. The first time browsers want a touch; where they are told to want none, it goes by itself. */
async function begin() {
  if (opening || talk.handsFree) return;
  opening = true;
  await talk.setHandsFree(true);
  opening = false;
  begun ||= talk.handsFree;
  refresh();
}

/** The visitor has gone: nothing of them stays, here or on the server. */
async function wipe() {
  await client.begin();
  refresh();
}

/** Whether the server has another page or other wishes by now. */
async function look() {
  try {
    outdated = JSON.stringify(await askConfiguration()) !== JSON.stringify(config);
  } catch {
    // It is gone again; this is asked again when it is back.
  }
}

function judge() {
  if (!begun) return "start";
  if (lostAt > 0 && performance.now() - lostAt > AWAY_MS) return "away";
  if (!client.microphoneOpen || client.silentMs > 5000) return "deaf";
  return client.conversation.items.length > 0 ? "talking" : "attract";
}

let shown = "";
function refresh() {
  state = judge();
  const { phase, busy } = client;
  if (busy || client.conversation.userSpeaking) idle.touch(performance.now());
  showWords();
  const now = `${state} ${phase} ${busy}`;
  if (now === shown) return aura.wake();
  shown = now;
  document.body.dataset["state"] = state;
  stage.dataset["phase"] = phase;
  title.textContent = titleNow();
  greeting.textContent = greetingNow();
  const phrase = settings.wakePhrase;
  phaseText.textContent = state === "talking" ? message(`phase.${phase}`, { phrase }) : invitation();
  talkButton.ariaLabel = message(busy ? "talk.stop" : "kiosk.begin");
  aura.refresh();
  beats.changed();
}

function titleNow() {
  if (state === "away") return message("kiosk.away");
  return config.title || message("kiosk.title");
}

function greetingNow() {
  if (state === "away") return message("kiosk.away.detail");
  if (state === "deaf") return message("kiosk.deaf");
  return state === "talking" ? "" : config.greeting;
}

function invitation() {
  if (state === "start") return message("kiosk.begin");
  if (state !== "attract") return "";
  const phrase = settings.wakePhrase;
  return phrase ? message("kiosk.say", { phrase }) : message("kiosk.speak");
}

let drawn = "";
/** The last thing the visitor said, and what is said to it. */
function showWords() {
  const { items } = client.conversation;
  const user = items.findLast(({ role }) => role === "user");
  const last = items.findLast(({ role }) => role === "assistant");
  const answer = last && items.indexOf(last) > items.findLastIndex(({ role }) => role === "user") ? last : undefined;
  const at = client.position;
  const sounds = answer !== undefined && at?.itemId === answer.id;
  const heard = answer && sounds ? heardLength(answer.text, answer.words, at.ms) : -1;
  const now = JSON.stringify([user?.text, user?.failed, answer?.text, heard]);
  if (now === drawn) return;
  drawn = now;
  said.textContent = user?.failed ? message("conversation.unheard") : (user?.text ?? "");
  if (answer) drawSpoken(reply, answer.text, heard, sounds);
  else reply.textContent = "";
  reply.querySelector(".now")?.scrollIntoView({ block: "center" });
}

talkButton.addEventListener("click", () => {
  if (client.busy) void talk.stopReply();
});
document.addEventListener("pointerdown", () => {
  idle.touch(performance.now());
  client.unlock();
  void begin();
});
navigator.mediaDevices?.addEventListener("devicechange", () => begun && void begin());
window.addEventListener("online", () => session.renew());
window.addEventListener("error", () => watchdog.fail());
window.addEventListener("unhandledrejection", () => watchdog.fail());
document.addEventListener("resume", () => session.renew());
document.addEventListener("visibilitychange", () => !document.hidden && session.retry());
followSystem(() => {
  applyColours(settings);
  aura.refresh();
});

/** Every second: has the visitor gone, and is everything as it should be? */
function tick() {
  const now = performance.now();
  const left = state === "talking" ? idle.left(now) : null;
  ending.textContent = left === null ? "" : message("kiosk.ending", { count: left });
  if (left === 0) void wipe();
  const verdict = watchdog.look(now, {
    listening: begun,
    silentMs: client.microphoneOpen ? client.silentMs : Infinity,
    idle: state !== "talking",
    outdated,
  });
  if (verdict === "open") void openAgain();
  if (verdict === "reload") void reload();
  refresh();
}

async function openAgain() {
  await talk.setHandsFree(false);
  await client.closeMicrophone();
  await begin();
}

/** Load the page anew, if there is a server to load it from; otherwise it goes on as it is. */
async function reload() {
  const answer = await fetch("/health", { signal: AbortSignal.timeout(5000) }).catch(() => null);
  if (answer?.ok) location.reload();
}

setInterval(tick, 1000);
setInterval(() => void look(), 5 * 60_000);
stayAwake();
keepInside();
bindOperator({ locked: config.locked });
registerWorker();
Object.defineProperty(window, "kiosk", {
  value: Object.freeze({
    get state() {
      return state;
    },
    get phase() {
      return client.phase;
    },
    get turns() {
      return client.conversation.items.map(({ role, text, final, playedMs }) => ({
        role,
        text,
        final,
        playedSeconds: playedMs / 1000,
      }));
    },
  }),
});
refresh();
await breath();
void begin();
