// @ts-check
/**
 * A conversation with the server, without a page: events in, sound out, the state to be shown. The page
 * and the kiosk are two faces of it.
 */

import { EMPTY, knownItems, reduce } from "./conversation.js";
import { createEar } from "./ear.js";
import { createKeeping } from "./keeping.js";
import { MicrophoneError, audioAllowed } from "./microphone.js";
import { phaseOf } from "./phase.js";
import { REPLAY, soundOf } from "./replay.js";
import { createReplies } from "./replies.js";
import { connect } from "./session.js";
import { sessionUpdate } from "./settings.js";
import { createSpeaker } from "./speaker.js";
import { createTalk } from "./talk.js";
import { createWake } from "./wake.js";

/** Answers to a race that is nobody's fault: the reply had just ended, the tap was empty. */
const HARMLESS = new Set([
  "input_audio_buffer_commit_empty",
  "response_cancel_not_active",
  "item_delete_invalid_item_id",
]);
/** How long hands-free goes on without the wake phrase, after the last word of either side. */
const WINDOW_MS = 12_000;

/** @typedef {import("./messages.js").MessageKey} MessageKey */
/** @typedef {import("./protocol.js").WireEvent} WireEvent */
/** @typedef {import("./conversation.js").Conversation} Conversation */

/**
 * @typedef {object} Ports
 * @property {() => void} changed the phase, a level or the position may have
 * @property {(conversation: Conversation) => void} show the items have changed
 * @property {(key: MessageKey, how?: { passing?: boolean, values?: Record<string, string> }) => void} notify
 * @property {(...keys: MessageKey[]) => void} settle
 * @property {() => void} greeted the server is there
 * @property {(reason: ReturnType<typeof import("./session.js").closeReason>) => void} lost
 * @property {(language: string) => void} voiceMissing
 * @property {(id: string | null) => void} [kept] what is said is kept in this conversation from now on
 */

/**
 * @param {Ports} ports
 * @param {object} how
 * @param {import("./settings.js").Settings} how.settings read whenever it is needed
 * @param {string} [how.instructions]
 * @param {readonly string[]} [how.languages] likely ones; the browser's without
 * @param {number} [how.windowMs]
 * @param {string | null} [how.conversation] keep what is said, in this conversation or (null) in a new one
 */
export function createClient(
  ports,
  { settings, instructions, languages, windowMs = WINDOW_MS, conversation: wanted },
) {
  const canTalk = audioAllowed();
  let conversation = EMPTY;
  /** @type {"connecting" | "online" | "offline"} */
  let line = "connecting";
  let speakerLevel = 0;
  /** What came of a turn that was said while asleep, until it is known what becomes of it. @type {WireEvent[]} */
  let overheard = [];
  let wasAwake = true;
  let wake = createWake({ phrase: settings.wakePhrase, windowMs });

  const speaker = createSpeaker({
    onPlayed({ itemId, ms, done }) {
      if (itemId.startsWith(REPLAY)) return ports.changed();
      const report = { item_id: itemId, audio_end_ms: ms, done };
      session.send({ type: "output_audio_buffer.played", ...report });
      dispatch({ type: "local.played", ...report });
    },
    onLevel(level) {
      speakerLevel = level;
      ports.changed();
    },
    onState(state) {
      if (state === "running") ports.settle("notice.sound_interrupted");
      else if (state === "interrupted") ports.notify("notice.sound_interrupted");
    },
  });

  const replies = createReplies(speaker);
  const ear = createEar(speaker, settings, {
    heard(samples) {
      talk.hear(samples);
      tick();
    },
    lost() {
      talk.abandon();
      void talk.setHandsFree(false);
      ports.notify("notice.microphone_lost");
      ports.changed();
    },
  });

  const talk = createTalk({
    send(event) {
      const accepted = session.send(event);
      const written = event.type === "conversation.item.create";
      if (accepted && written && !session.connected) dispatch({ type: "local.waiting", item: event["item"] });
      return accepted;
    },
    sendAudio: (samples) => session.sendAudio(samples),
    openMicrophone: startMicrophone,
    drainMicrophone: () => ear.drain(),
    async stopPlayback() {
      const heard = await speaker.stop();
      return heard?.itemId.startsWith(REPLAY) ? null : heard;
    },
    replying: () => conversation.response !== null || conversation.awaiting,
    sounding: () => speaker.sounding,
    dropReply() {
      replies.drop(conversation);
      dispatch({ type: "local.dropped" });
    },
    configure,
    asked: () => dispatch({ type: "local.asked" }),
    deaf: () => speaker.position?.itemId.startsWith(REPLAY) ?? false,
    notify: (notice) => ports.notify(`notice.${notice}`, { passing: true }),
    fail(error) {
      const code = error instanceof MicrophoneError ? error.code : "microphone_failed";
      if (!(error instanceof MicrophoneError)) console.error(error);
      ports.notify(`notice.${code}`);
    },
    changed: ports.changed,
  });

  const url = new URL("/v1/realtime", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const session = connect({ url: url.href, onEvent: receive, onLost: lose, onResumed: resume });
  const keeping = createKeeping(
    {
      send: (event) => session.send(event),
      kept: (id) => ports.kept?.(id),
      lost: () => dispatch({ type: "local.lost" }),
    },
    wanted,
  );
  /** A session has been lost, or may yet go on. */
  let interrupted = false;

  const asleep = () => talk.handsFree && !wake.awake(performance.now());

  /** @param {WireEvent} event */
  function receive(event) {
    if (asleep() && keepBack(event)) return;
    wake.touch(performance.now());
    replies.hear(event, conversation);
    switch (event.type) {
      case "response.output_audio.delta":
        if (speaker.blocked) ports.notify("notice.sound_blocked");
        return;
      case "session.created":
        if (interrupted) restart();
        line = "online";
        configure();
        keeping.renew();
        ports.greeted();
        break;
      case "conversation.attached":
        return keeping.attached(event["conversation_id"]);
      case "conversation.item.input_audio_transcription.completed":
        // The server keeps no turn without words; under push-to-talk somebody meant to say something.
        if (!event.transcript.trim() && !talk.handsFree) ports.notify("conversation.unheard", { passing: true });
        break;
      case "conversation.item.retrieved":
        return replay(event.item);
      case "response.done":
        if (event.response.status === "failed") ports.notify("notice.reply_failed");
        break;
      case "response.voice_missing":
        ports.voiceMissing(event["language"]);
        break;
      case "error":
        complain(event["error"]);
        break;
    }
    dispatch(event);
  }

  /**
   * Asleep, a turn is shown and answered only if it was for us; otherwise it never was.
   * @param {WireEvent} event
   */
  function keepBack(event) {
    const transcription = "conversation.item.input_audio_transcription.";
    const kept =
      event.type.startsWith(transcription) ||
      event.type === "input_audio_buffer.committed" ||
      (event.type.startsWith("conversation.item.") && event.item?.role === "user");
    if (!kept) return false;
    overheard.push(event);
    if (event.type === `${transcription}failed`) overheard = [];
    if (event.type !== `${transcription}completed`) return true;
    const events = overheard.splice(0);
    switch (wake.hear(event.transcript, performance.now())) {
      case "answer":
        for (const each of events) dispatch(each);
        configure();
        session.send({ type: "response.create" });
        dispatch({ type: "local.asked" });
        break;
      case "listen":
        configure();
        session.send({ type: "conversation.item.delete", item_id: event.item_id });
        break;
      case "ignore":
        session.send({ type: "conversation.item.delete", item_id: event.item_id });
    }
    return true;
  }

  /** @param {WireEvent["item"]} item */
  function replay(item) {
    const sound = soundOf(item);
    if (!sound) return ports.notify("notice.replay_gone", { passing: true });
    void speaker.stop();
    speaker.push(REPLAY + item.id, sound);
    speaker.finish(REPLAY + item.id);
  }

  /** The line is gone; what there is of a reply plays on. @param {Parameters<Ports["lost"]>[0]} reason */
  function lose(reason) {
    line = "offline";
    interrupted = true;
    ports.lost(reason);
    ports.changed();
  }

  /**
   * The line is back, and the session goes on as if nothing had been; but what was being said is over if
   * it is `restored`.
   * @param {{ restored: boolean }} how
   */
  function resume({ restored }) {
    line = "online";
    interrupted = false;
    if (restored) {
      overheard = [];
      talk.abandon();
      speaker.finish();
      dispatch({ type: "local.restored" });
      configure();
    }
    ports.greeted();
    ports.changed();
  }

  /** The session is gone; this is another one, which knows nothing. */
  function restart() {
    interrupted = false;
    overheard = [];
    talk.abandon();
    speaker.finish();
    // What is kept is known to the new session too, once it is attached.
    dispatch({ type: keeping.id === null ? "local.lost" : "local.attached" });
  }

  /** @param {{ code?: string, message: string }} error */
  function complain({ code, message }) {
    if (keeping.refused(code)) return;
    if (code && HARMLESS.has(code)) return;
    if (code === "item_retrieve_invalid_item_id") return ports.notify("notice.replay_gone", { passing: true });
    ports.notify("notice.server_error", { values: { message } });
  }

  function configure() {
    if (wake.phrase !== settings.wakePhrase) {
      wake = createWake({ phrase: settings.wakePhrase, windowMs });
    }
    wasAwake = !asleep();
    session.send(
      sessionUpdate(settings, {
        handsFree: talk.handsFree,
        canPlay: canTalk,
        languages: languages ?? navigator.languages,
        asleep: !wasAwake,
        instructions: instructions ?? settings.prompt,
      }),
    );
  }

  /** Called inside a gesture. */
  async function startMicrophone() {
    await ear.start();
    ports.settle("notice.microphone_denied", "notice.microphone_missing", "notice.microphone_busy");
    ports.settle("notice.microphone_failed", "notice.microphone_lost");
  }

  /** Fifty times a second while the microphone is open: the window of the wake phrase may have closed. */
  function tick() {
    const now = performance.now();
    const busy = speaker.playing || conversation.userSpeaking || conversation.response !== null;
    if (busy) wake.touch(now);
    if (talk.handsFree && wasAwake !== wake.awake(now)) configure();
    ports.changed();
  }

  /** @param {WireEvent} event */
  function dispatch(event) {
    const before = conversation;
    conversation = reduce(conversation, event);
    if (conversation.items !== before.items) ports.show(conversation);
    ports.changed();
  }

  /** Take items out, on the server too. @param {readonly { id: string }[]} items */
  function forget(items) {
    for (const { id } of items) session.send({ type: "conversation.item.delete", item_id: id });
  }

  /** @param {string} id */
  function since(id) {
    const items = knownItems(conversation);
    const index = items.findIndex((item) => item.id === id);
    return index < 0 ? [] : items.slice(index);
  }

  return {
    canTalk,
    session,
    speaker,
    replies,
    talk,
    configure,

    get conversation() {
      return conversation;
    },
    get line() {
      return line;
    },
    get microphoneOpen() {
      return ear.open;
    },
    /** How long no sound has come from the open microphone, in ms; 0 if it is not open. */
    get silentMs() {
      return ear.silentMs;
    },
    get levels() {
      return { microphone: ear.level, speaker: speakerLevel };
    },
    /** A reply is being made, asked for, or heard. */
    get busy() {
      return conversation.response !== null || conversation.awaiting || speaker.sounding;
    },
    get phase() {
      return phaseOf({
        line,
        held: talk.held && ear.open,
        handsFree: talk.handsFree,
        muted: talk.muted,
        asleep: asleep(),
        level: ear.level,
        userSpeaking: conversation.userSpeaking,
        playing: speaker.playing,
        answering: conversation.response !== null || conversation.awaiting,
      });
    },
    /** How far the listener is in which item, in ms; a turn that is played again counts as itself. */
    get position() {
      const at = speaker.position;
      return at && { itemId: at.itemId.replace(REPLAY, ""), ms: at.ms };
    },

    /** Wake the sound, inside a gesture. Replies are still written if that fails. */
    unlock() {
      if (!canTalk) return;
      speaker.useDevice(settings.speaker);
      speaker.unlock().catch((error) => {
        console.error(error);
        ports.notify("notice.sound_failed");
      });
    },

    /** Give the microphone back: its light goes out. */
    async closeMicrophone() {
      talk.abandon();
      await ear.close();
      ports.changed();
    },

    /** @param {string} id */
    replay(id) {
      if (!session.send({ type: "conversation.item.retrieve", item_id: id })) {
        ports.notify("notice.not_connected", { passing: true });
      }
    },

    /**
     * Say something else than was said in turn `id`: it and what followed are taken out.
     * @param {string} id
     * @param {string} text
     */
    async resend(id, text) {
      await talk.stopReply();
      forget(since(id));
      return talk.say(text);
    },

    /** Answer again: reply `id` and what followed are taken out. @param {string} id */
    async regenerate(id) {
      await talk.stopReply();
      forget(since(id));
      if (session.send({ type: "response.create" })) dispatch({ type: "local.asked" });
    },

    /** Another conversation: an empty one. What is kept stays where it is. */
    async clear({ ephemeral = false } = {}) {
      await talk.stopReply();
      if (!keeping.on) forget(knownItems(conversation));
      overheard = [];
      wake.sleep();
      dispatch({ type: "local.cleared" });
      keeping.move(null, { ephemeral });
      configure();
    },

    /** Another session, which knows nothing of this one. The server forgets this one. */
    async begin() {
      await talk.stopReply();
      overheard = [];
      wake.sleep();
      dispatch({ type: "local.cleared" });
      dispatch({ type: "local.lost" });
      session.restart();
    },

    /** Where what is said is kept. */
    kept: keeping,

    /**
     * Go on with a conversation that is kept.
     * @param {string} id
     * @param {readonly import("./conversation.js").Item[]} items what is shown of it
     */
    async open(id, items) {
      await talk.stopReply();
      overheard = [];
      dispatch({ type: "local.opened", items });
      keeping.move(id);
    },

    /** What was said elsewhere, in the conversation that is kept: let the session know it. */
    reattach() {
      dispatch({ type: "local.attached" });
      keeping.attach();
    },

    dispatch,
  };
}

/** @typedef {ReturnType<typeof createClient>} Client */
