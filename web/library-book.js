// @ts-check
/** The conversation that is open: its messages, older ones as they are wanted, its versions, its draft. */

import { address } from "./library-address.js";
import { ApiError, ask } from "./library-api.js";
import { itemsOf } from "./library-items.js";
import { messageId } from "./stored.js";

const PAGE = 40;
/** While a message is looked for among older ones. */
const LONG_PAGE = 200;
const MOST_PAGES = 50;
const DRAFT_MS = 600;
const REFRESH_MS = 300;
const NEAR_TOP = 300;

/**
 * @param {object} ports
 * @param {import("./client.js").Client} ports.client
 * @param {HTMLElement} ports.scroller
 * @param {HTMLElement} ports.log
 * @param {HTMLTextAreaElement} ports.box
 * @param {(error: unknown) => void} ports.fail
 * @param {() => boolean} ports.busy something is being sent
 * @param {(id: string) => void} ports.opening another one will be shown, or this one anew
 * @param {(items: readonly import("./items.js").Item[]) => void} ports.opened it is shown
 * @param {() => void} ports.typed the box has other words
 */
export function createBook({ client, scroller, log, box, fail, busy, opening, opened, typed }) {
  /** Where older messages go on. @type {string | null} */
  let cursor = null;
  let loading = false;
  let saved = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let drafting;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let refreshing;

  const path = () => `/conversations/${client.kept.id}`;

  /** @param {string} id @param {string | null} from @param {number} limit */
  const page = (id, from, limit) =>
    ask("GET", `/conversations/${id}/messages?html=true&limit=${limit}${from ? `&cursor=${encodeURIComponent(from)}` : ""}`);

  /**
   * @param {string} id
   * @param {string | null} message one that has to be among them
   */
  async function read(id, message) {
    let { messages, cursor: next } = await page(id, null, message ? LONG_PAGE : PAGE);
    for (let count = 0; message && next && count < MOST_PAGES; count++) {
      if (messages.some((/** @type {{ id: string }} */ each) => each.id === message)) break;
      const more = await page(id, next, LONG_PAGE);
      messages = [...more.messages, ...messages];
      next = more.cursor;
    }
    return { items: itemsOf(messages), next };
  }

  /**
   * Show a conversation, and go on with it.
   * @param {string} id
   * @param {{ message?: string | null, attached?: boolean }} [how] `message`: where to; `attached`: the
   *   session has it already
   */
  async function open(id, { message = null, attached = false } = {}) {
    flushDraft();
    scroller.ariaBusy = "true";
    try {
      const [about, first] = await Promise.all([ask("GET", `/conversations/${id}`), read(id, message)]);
      let { items, next } = first;
      if (message && !items.some((item) => item.id === message)) {
        // It stands on another branch.
        await ask("POST", `/conversations/${id}/messages/${message}/choose`, {});
        ({ items, next } = await read(id, message));
        attached = false;
      }
      cursor = next;
      opening(id);
      // Something may have been said since the page began.
      if (attached) client.dispatch({ type: "local.older", items });
      else await client.open(id, items);
      saved = about.draft;
      if (!attached || !box.value) box.value = about.draft;
      typed();
      opened(items);
      scroller.scrollTop = scroller.scrollHeight;
      if (message) jump(message);
    } finally {
      scroller.ariaBusy = null;
    }
  }

  /** @param {string} message */
  function jump(message) {
    const index = client.conversation.items.findIndex(({ id }) => messageId(id) === message);
    const node = log.children[index];
    if (!(node instanceof HTMLElement)) return;
    node.tabIndex = -1;
    node.scrollIntoView({ block: "center" });
    node.focus({ preventScroll: true });
    node.classList.add("found");
    setTimeout(() => node.classList.remove("found"), 2500);
  }

  async function loadOlder() {
    const { id } = client.kept;
    if (loading || !cursor || !id || scroller.scrollTop > NEAR_TOP) return;
    loading = true;
    scroller.toggleAttribute("data-older", true);
    try {
      const more = await page(id, cursor, PAGE);
      if (client.kept.id !== id) return;
      cursor = more.cursor;
      client.dispatch({ type: "local.older", items: itemsOf(more.messages) });
    } catch (error) {
      fail(error);
    } finally {
      loading = false;
      scroller.toggleAttribute("data-older", false);
    }
  }
  scroller.addEventListener("scroll", () => void loadOlder(), { passive: true });

  /** Something of what is shown has been stored, here or elsewhere: `created` is what was. */
  function refresh() {
    clearTimeout(refreshing);
    refreshing = setTimeout(() => void look().catch(() => undefined), REFRESH_MS);
  }

  /** Messages that were created while this conversation is open. @type {Set<string>} */
  const created = new Set();

  async function look() {
    const { id } = client.kept;
    if (!id) return;
    const { messages, cursor: next } = await page(id, null, PAGE);
    if (client.kept.id !== id) return;
    const items = itemsOf(messages);
    const known = new Set(client.conversation.items.map((item) => messageId(item.id)));
    const strange = items.some((item) => created.has(item.id) && !known.has(item.id));
    if (strange && !busy() && !client.busy && !client.talk.held) {
      created.clear();
      cursor = next;
      await client.open(id, items);
      return opened(items);
    }
    if (strange) return refresh();
    client.dispatch({ type: "local.stored", items });
  }

  function flushDraft() {
    clearTimeout(drafting);
    const { id } = client.kept;
    const draft = box.value;
    if (!id || draft === saved) return;
    saved = draft;
    ask("PATCH", `/conversations/${id}`, { draft }, { "if-match": "*" }).catch(() => undefined);
  }
  box.addEventListener("input", () => {
    clearTimeout(drafting);
    drafting = setTimeout(flushDraft, DRAFT_MS);
  });

  return {
    open,
    refresh,
    flushDraft,

    /** An empty one begins. */
    forget() {
      cursor = null;
      saved = "";
      created.clear();
    },

    /** A message of this conversation was stored. @param {string} id */
    heard(id) {
      created.add(id);
      refresh();
    },

    /** The draft was changed on another page. @param {string} draft */
    drafted(draft) {
      if (draft === saved || document.activeElement === box || box.value !== saved) return;
      saved = box.value = draft;
      typed();
    },

    /** @param {string} version */
    async choose(version) {
      const { id } = client.kept;
      if (!id || !version) return;
      await ask("POST", `${path()}/messages/${version}/choose`, {});
      await open(id);
    },

    /** @param {string} item @returns {Promise<string>} the new conversation's id */
    async branch(item) {
      const made = await ask("POST", `${path()}/messages/${messageId(item)}/branch`, {});
      history.pushState(null, "", address(made.id));
      await open(made.id);
      return made.id;
    },

    /** All that stand at a message's place. @param {string} item @returns {Promise<import("./library-api.js").Message[]>} */
    async versions(item) {
      return (await ask("GET", `${path()}/messages/${messageId(item)}/versions`)).messages;
    },

    /** Whether it is gone. @param {unknown} error */
    gone: (error) => error instanceof ApiError && error.status === 404,
  };
}
