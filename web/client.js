// @ts-check
/**
 * A conversation with the server, without a page: events in, sound out, the state to be shown. The page
 * and the kiosk are two faces of it.
 */

import { createAttention } from "./attention.js";
import { complaintOf, troubleOf } from "./complaints.js";
import { createContinuity } from "./continuity.js";
import { EMPTY, reduce } from "./conversation.js";
import { createKeeping } from "./keeping.js";
import { audioAllowed } from "./microphone.js";
import { phaseOf } from "./phase.js";
import { createRevising } from "./revising.js";
import { connect } from "./session.js";
import { sessionUpdate } from "./settings.js";
import { createSound } from "./sound.js";
import { createTalk } from "./talk.js";

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

  const sound = createSound(
    {
      send: (heard) => session.sendAudio(heard),
      heard(samples) {
        talk.hear(samples);
        tick();
      },
      lost() {
        talk.abandon();
        sound.forget();
        void talk.setHandsFree(false);
        ports.notify("notice.microphone_lost");
        ports.changed();
      },
      played(report) {
        session.send({ type: "output_audio_buffer.played", ...report });
        dispatch({ type: "local.played", ...report });
      },
      configure: () => configure(),
      page: ports,
    },
    settings,
  );
  const { speaker, replies, ear } = sound;

  const talk = createTalk({
    send(event) {
      if (event.type === "input_audio_buffer.clear") sound.forget();
      const accepted = session.send(event);
      const written = event.type === "conversation.item.create";
      if (accepted && written && !session.connected) dispatch({ type: "local.waiting", item: event["item"] });
      return accepted;
    },
    sendAudio: sound.send,
    openMicrophone: startMicrophone,
    drainMicrophone: sound.drain,
    stopPlayback: sound.stop,
    replying: () => conversation.response !== null || conversation.awaiting,
    sounding: () => speaker.sounding,
    dropReply() {
      replies.drop(conversation);
      dispatch({ type: "local.dropped" });
    },
    configure,
    asked: () => dispatch({ type: "local.asked" }),
    deaf: () => sound.replaying,
    notify: (notice) => ports.notify(`notice.${notice}`, { passing: true }),
    fail: (error) => ports.notify(...troubleOf(error)),
    changed: ports.changed,
  });

  const url = new URL("/v1/realtime", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const session = connect({
    url: url.href,
    onEvent: receive,
    onLost: (reason) => continuity.lose(reason),
    onResumed: (how) => continuity.resume(how),
  });
  const keeping = createKeeping(
    {
      send: (event) => session.send(event),
      kept: (id) => ports.kept?.(id),
      lost: () => dispatch({ type: "local.lost" }),
    },
    wanted,
  );
  const continuity = createContinuity({
    page: { ...ports, greeted },
    abandon,
    finish: () => speaker.finish(),
    configure,
    isKept: () => keeping.id !== null,
    dispatch,
  });
  const attention = createAttention(
    {
      handsFree: () => talk.handsFree,
      dispatch,
      woken: configure,
      answer() {
        session.send({ type: "response.create" });
        dispatch({ type: "local.asked" });
      },
      forget: (id) => void session.send({ type: "conversation.item.delete", item_id: id }),
    },
    settings,
    windowMs,
  );

  /** @param {WireEvent} event */
  function receive(event) {
    if (attention.keepBack(event)) return;
    attention.touch();
    replies.hear(event, conversation);
    switch (event.type) {
      case "response.output_audio.delta":
        if (sound.blocked) ports.notify("notice.sound_blocked");
        return;
      case "session.updated":
        sound.agree(event["session"]);
        break;
      case "session.created":
        sound.agree(event["session"]);
        continuity.begin();
        configure();
        keeping.renew();
        greeted();
        break;
      case "conversation.attached":
        return keeping.attached(event["conversation_id"]);
      case "conversation.item.input_audio_transcription.completed":
        // The server keeps no turn without words; under push-to-talk somebody meant to say something.
        if (!event.transcript.trim() && !talk.handsFree) ports.notify("conversation.unheard", { passing: true });
        break;
      case "conversation.item.retrieved":
        return sound.replay(event.item);
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

  function greeted() {
    sound.recover();
    ports.greeted();
  }

  /** What was being said is lost. */
  function abandon() {
    attention.drop();
    talk.abandon();
    sound.forget();
  }

  /** @param {{ code?: string, message: string }} error */
  function complain(error) {
    const complaint = keeping.refused(error.code) ? null : complaintOf(error);
    if (complaint) ports.notify(...complaint);
  }

  function configure() {
    const awake = attention.tell();
    session.send(
      sessionUpdate(settings, {
        handsFree: talk.handsFree,
        canPlay: canTalk,
        languages: languages ?? navigator.languages,
        asleep: !awake,
        compressed: sound.compressed,
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
    const busy = speaker.playing || conversation.userSpeaking || conversation.response !== null;
    if (busy) attention.touch();
    if (attention.outdated) configure();
    ports.changed();
  }

  /** @param {WireEvent} event */
  function dispatch(event) {
    const before = conversation;
    conversation = reduce(conversation, event);
    if (conversation.items !== before.items) ports.show(conversation);
    ports.changed();
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
      return continuity.line;
    },
    get microphoneOpen() {
      return ear.open;
    },
    /** How long no sound has come from the open microphone, in ms; 0 if it is not open. */
    get silentMs() {
      return ear.silentMs;
    },
    get levels() {
      return sound.levels;
    },
    /** A reply is being made, asked for, or heard. */
    get busy() {
      return conversation.response !== null || conversation.awaiting || speaker.sounding;
    },
    get phase() {
      return phaseOf({
        line: continuity.line,
        held: talk.held && ear.open,
        handsFree: talk.handsFree,
        muted: talk.muted,
        asleep: attention.asleep,
        level: ear.level,
        userSpeaking: conversation.userSpeaking,
        playing: speaker.playing,
        answering: conversation.response !== null || conversation.awaiting,
      });
    },
    /** How far the listener is in which item, in ms; a turn that is played again counts as itself. */
    get position() {
      return sound.position;
    },

    /** Wake the sound, inside a gesture. Replies are still written if that fails. */
    unlock: sound.unlock,

    /** Give the microphone back: its light goes out. */
    async closeMicrophone() {
      talk.abandon();
      sound.forget();
      await ear.close();
      ports.changed();
    },

    /** @param {string} id */
    replay(id) {
      if (!session.send({ type: "conversation.item.retrieve", item_id: id })) {
        ports.notify("notice.not_connected", { passing: true });
      }
    },

    /** Where what is said is kept. */
    kept: keeping,

    ...createRevising({ conversation: () => conversation, session, talk, keeping, attention, dispatch, configure }),

    dispatch,
  };
}

/** @typedef {ReturnType<typeof createClient>} Client */
