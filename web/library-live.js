// @ts-check
/** What happens to the conversations on other pages and in other programs, as it happens. */

/**
 * @param {object} ports
 * @param {(conversation: import("./library-api.js").Stored) => void} ports.conversation it is new, or another
 * @param {(id: string) => void} ports.lost it was deleted
 * @param {(message: import("./library-api.js").Message & { conversation_id: string }) => void} ports.message
 * @param {(settings: any) => void} ports.settings
 * @param {() => void} ports.missed something may have happened unheard
 * @param {() => void} ports.hidden nobody sees the page
 */
export function createLive({ conversation, lost, message, settings, missed, hidden }) {
  /** @type {EventSource | null} */
  let source = null;

  function follow() {
    if (source || document.hidden) return;
    const opened = new EventSource("/api/v1/events");
    source = opened;
    /** @param {string} kind @param {(data: any) => void} hear */
    const on = (kind, hear) => opened.addEventListener(kind, (event) => hear(JSON.parse(event.data)));
    for (const kind of ["created", "updated", "restored"]) on(`conversation.${kind}`, conversation);
    for (const kind of ["deleted", "purged"]) on(`conversation.${kind}`, ({ id }) => lost(id));
    for (const kind of ["created", "updated", "done"]) on(`message.${kind}`, (data) => message(data.answer ?? data));
    on("settings.updated", settings);
    on("reset", missed);
  }

  function leave() {
    source?.close();
    source = null;
  }

  // A browser has few connections to one server: pages that nobody sees give theirs back.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      leave();
      hidden();
    } else {
      follow();
      missed();
    }
  });
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", ({ persisted }) => persisted && follow());

  return { follow };
}
