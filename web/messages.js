// @ts-check
/**
 * Every word the page shows, in one catalogue. The keys are the page's own; `index.html` names them in
 * `data-message*` attributes. `{name}` in a message is replaced by a value.
 */

export const messages = Object.freeze({
  "app.name": "Vivavoce",
  "app.skip": "Skip to the message box",

  "phase.connecting": "Connecting…",
  "phase.offline": "Not connected",
  "phase.ready": "Ready",
  "phase.listening": "Listening",
  "phase.hearing": "Hearing you",
  "phase.thinking": "Thinking",
  "phase.speaking": "Speaking",

  "hint.connecting": "Looking for the server.",
  "hint.offline": "You can read on; talking works again when the server is back.",
  "hint.ready": "Hold the button or the space bar, and speak.",
  "hint.ready.touch": "Hold the button and speak.",
  "hint.listening.held": "Speak now. Let go when you are done.",
  "hint.listening.free": "Just speak. Tap to stop listening.",
  "hint.hearing.held": "Let go when you are done.",
  "hint.hearing.free": "Pause when you are done.",
  "hint.thinking": "Tap to stop.",
  "hint.speaking.held": "Hold to interrupt, Esc to stop.",
  "hint.speaking.held.touch": "Tap to stop, hold to interrupt.",
  "hint.speaking.free": "Speak to interrupt, or tap to stop.",
  "hint.text": "Talking needs a secure page. Type instead.",

  "talk.hold": "Hold to talk",
  "talk.release": "Release to send",
  "talk.stop": "Stop the reply",
  "talk.mute": "Stop listening",
  "talk.meter": "Sound level",

  "conversation.label": "Conversation",
  "conversation.empty": "Say something, or type. The conversation appears here.",
  "conversation.user": "You",
  "conversation.assistant": "Vivavoce",
  "conversation.pending": "…",
  "conversation.unheard": "This could not be made out.",
  "conversation.interrupted": "interrupted",
  "conversation.resumed": "The connection was lost. The assistant no longer remembers what is above.",

  "text.label": "Message",
  "text.placeholder": "Or type a message",
  "text.send": "Send",

  "settings.label": "Settings",
  "settings.handsFree": "Hands-free",
  "settings.speakReplies": "Speak replies",
  "settings.voice": "Voice",
  "settings.voice.default": "Standard voice",
  "settings.voice.named": "Standard voice ({name})",
  "settings.language": "Language you speak",
  "settings.language.any": "Detect it",

  "settings.signOut": "Sign out",

  "signIn.label": "Sign in",
  "signIn.why": "This server asks for a key. Whoever runs it can make one.",
  "signIn.key": "Key",
  "signIn.submit": "Sign in",
  "signIn.locked": "This key is wrong or was revoked.",
  "signIn.forbidden": "This key is not good for conversations.",
  "signIn.unreachable": "The server does not answer. Please try again.",

  "notice.dismiss": "Dismiss",
  "notice.microphone_denied":
    "The browser may not use the microphone. Allow it in the address bar's site settings, then try again. Typing works without it.",
  "notice.microphone_missing": "No microphone was found. Plug one in and try again, or type instead.",
  "notice.microphone_busy":
    "The microphone is there but gives no sound. Another program may be using it. Close it and try again.",
  "notice.microphone_failed": "The microphone could not be opened. Try again, or type instead.",
  "notice.microphone_lost": "The microphone was disconnected or taken away. Press the button to open it again.",
  "notice.microphone_ready": "The microphone is ready. Hold the button and speak.",
  "notice.insecure_origin":
    "Browsers give the microphone only to secure pages. Open this page over https, or on the server's own machine as http://localhost. Typing works here.",
  "notice.sound_blocked": "The browser holds the sound back until you touch the page. Tap anywhere to hear the reply.",
  "notice.sound_failed": "The sound could not be started. Replies appear as text.",
  "notice.too_short": "That was very short. Keep holding while you speak.",
  "notice.not_connected": "There is no connection to the server at the moment, so this cannot be sent yet.",
  "notice.server_lost": "The connection to the server was lost. Trying again…",
  "notice.server_unreachable": "The server does not answer. Trying again…",
  "notice.server_full": "The server is busy with other conversations. Trying again…",
  "notice.server_refused": "The server refused the connection. Trying again…",
  "notice.voice_missing":
    "There is no voice for {language} here. A voice of another language reads the replies; the text is right.",
  "notice.reply_failed": "The reply failed. Please try again.",
  "notice.server_error": "The server reports: {message}",
});

/** @typedef {keyof typeof messages} MessageKey */

/**
 * @param {MessageKey} key
 * @param {Record<string, string>} [values]
 * @returns {string}
 */
export function message(key, values = {}) {
  return messages[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/**
 * The name of a language in the page's own language: "de" -> "German".
 * @param {string} tag a BCP 47 tag
 */
export function languageName(tag) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}
