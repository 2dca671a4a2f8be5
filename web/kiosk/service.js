// @ts-check
/** What the kiosk asks of the server and of the machine: its configuration, a sign of life, a lit screen. */

const BEAT_MS = 15_000;
const RETRY_MS = 2000;

/**
 * @typedef {object} Configuration
 * @property {string} title
 * @property {string} greeting
 * @property {string} prompt
 * @property {string} voice
 * @property {string[]} languages
 * @property {string} page_language
 * @property {string} theme
 * @property {string} contrast
 * @property {string} wake_phrase
 * @property {number} followup_seconds
 * @property {number} idle_seconds
 * @property {string} version of the page's files
 * @property {boolean} locked the way out wants a PIN
 */

/** What goes where the server cannot be asked yet, or wants a key first. @type {Configuration} */
const UNKNOWN = {
  title: "",
  greeting: "",
  prompt: "",
  voice: "",
  languages: [],
  page_language: "",
  theme: "",
  contrast: "",
  wake_phrase: "",
  followup_seconds: 12,
  idle_seconds: 45,
  version: "",
  locked: true,
};

/**
 * What the operator has set. Waits for a server that does not answer: without it there is nothing to do.
 * @returns {Promise<Configuration>}
 */
export async function askConfiguration() {
  for (;;) {
    try {
      const response = await fetch("/v1/kiosk", { signal: AbortSignal.timeout(5000) });
      if (response.ok) return await response.json();
      if (response.status === 401 || response.status === 403) return UNKNOWN;
    } catch {
      // No server.
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/**
 * Tell the server every 15 s, and at every change, that this kiosk lives.
 * @param {() => string} state
 */
export function sendBeats(state) {
  const id = crypto.randomUUID?.() ?? String(Math.random());
  let told = "";
  function beat() {
    told = state();
    const body = JSON.stringify({ id, state: told });
    const headers = { "content-type": "application/json" };
    // One that is lost is followed by the next.
    fetch("/v1/kiosk/beat", { method: "POST", headers, body }).catch(() => undefined);
  }
  setInterval(beat, BEAT_MS);
  return {
    changed() {
      if (state() !== told) beat();
    },
  };
}

/** Keep the screen lit for as long as the page is seen. */
export function stayAwake() {
  async function lock() {
    if (document.hidden) return;
    try {
      const held = await navigator.wakeLock?.request("screen");
      held?.addEventListener("release", () => setTimeout(lock, 1000), { once: true });
    } catch {
      // Low battery, or a browser that does not know it: the system's own settings have to do.
    }
  }
  document.addEventListener("visibilitychange", lock);
  void lock();
}
