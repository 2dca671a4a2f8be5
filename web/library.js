// @ts-check
/**
 * The conversations that are kept: the sidebar, and everything that goes on between the page and what is
 * stored. Loaded once the server is there; without it the page talks on, and keeps nothing.
 */

import { breath } from "./breath.js";
import { address, readAddress } from "./library-address.js";
import { ApiError, ask } from "./library-api.js";
import { createBook } from "./library-book.js";
import { createFiles } from "./library-files.js";
import { titleOf } from "./library-list.js";
import { createLive } from "./library-live.js";
import { createSending } from "./library-sending.js";
import { fetchSettings, isShared, storeSettings } from "./library-settings.js";
import { bindSearch } from "./library-searching.js";
import { createShelf } from "./library-shelf.js";
import { playRecorded } from "./library-sound.js";
import { createSide } from "./library-side.js";
import { explain, message } from "./messages.js";
import { messageId } from "./stored.js";

/** @typedef {import("./library-api.js").Stored} Stored */

/**
 * Null where no conversations are kept; it has been said why.
 * @param {object} page
 * @param {import("./view.js").Elements} page.elements
 * @param {import("./client.js").Client} page.client
 * @param {import("./settings.js").Settings} page.settings
 * @param {ReturnType<typeof import("./view.js").createView>} page.view
 * @param {() => void} page.typed
 * @param {(told: Partial<Record<string, string>>) => void} page.settingsTold
 */
export async function openLibrary({ elements, client, settings, view, typed, settingsTold }) {
  const { library: side, openLibrary: toggle, scroller, log, box } = elements;
  try {
    await ask("GET", "/conversations?limit=1");
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) {
      view.notify("library.forbidden");
      client.kept.refused("not_stored");
    }
    return null;
  }

  const parts = createSide(side, toggle);
  await breath();
  const { toast, closeDrawer, setOpen } = parts;
  const sending = createSending({ client, settings, begin, stored: () => book.refresh(), reload, fail });
  const book = createBook({
    client,
    scroller,
    log,
    box,
    fail,
    typed,
    busy: () => sending.busy,
    opening: () => sending.leave(),
    opened(items) {
      show();
      const last = items.at(-1);
      if (last && !last.final) void sending.join(last.id);
    },
  });
  const files = createFiles({
    attach: elements.attach,
    chips: elements.chips,
    box,
    allowed: () => !client.kept.ephemeral,
    changed: typed,
  });
  const shelf = createShelf({
    parts,
    open: () => client.kept.id,
    searching: () => search.on,
    go: (id) => void go(id),
    async deleted(id) {
      const open = client.kept.id === id;
      if (open) await fresh();
      return async () => {
        if (open) await go(id);
      };
    },
    exportOne: (of) => void openTransfer(of),
    drafted: (draft) => book.drafted(draft),
    fail,
  });

  /** @param {unknown} error */
  function fail(error) {
    if (error instanceof ApiError) return toast(explain(error.code, error.message));
    console.error(error);
    toast(String(error));
  }

  function show() {
    elements.attach.hidden = client.kept.ephemeral;
    document.body.toggleAttribute("data-private", client.kept.ephemeral);
    shelf.show();
  }

  // The conversation that is open

  /** @param {string} id @param {string | null} [at] a message */
  async function go(id, at = null) {
    if (id === client.kept.id && !at) return closeDrawer();
    history.pushState(null, "", address(id, at));
    await enter(id, at);
  }

  /** @param {string} id @param {string | null} at @param {boolean} [attached] */
  async function enter(id, at, attached = false) {
    closeDrawer();
    try {
      await book.open(id, { message: at, attached });
    } catch (error) {
      if (!book.gone(error)) return fail(error);
      toast(message("library.gone"));
      shelf.forget(id);
      history.replaceState(null, "", address(null));
      await leave(false);
    }
  }

  /** @param {boolean} ephemeral */
  async function leave(ephemeral) {
    book.flushDraft();
    sending.leave();
    await client.clear({ ephemeral });
    book.forget();
    box.value = "";
    files.take();
    typed();
    show();
  }

  async function fresh({ ephemeral = false } = {}) {
    closeDrawer();
    if (location.hash) history.pushState(null, "", address(null));
    await leave(ephemeral);
    if (ephemeral) view.notify("library.private.on");
    else view.settle("library.private.on");
    box.focus();
  }

  async function reload() {
    if (client.kept.id) await book.open(client.kept.id).catch(fail);
  }

  /** There has to be a conversation before something is sent to it by HTTP. */
  async function begin() {
    if (client.kept.id) return;
    // What was just spoken may be about to begin one.
    for (let tries = 0; client.conversation.items.some(({ stored, created }) => !stored && !created) && tries < 10; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (client.kept.id) return;
    }
    const made = await ask("POST", "/conversations", { ephemeral: client.kept.ephemeral });
    client.kept.become(made.id);
    begun(made.id);
  }

  /** What is said has become a conversation. @param {string | null} id */
  function begun(id) {
    if (id && !client.kept.ephemeral) history.replaceState(null, "", address(id));
    show();
    book.refresh();
  }

  window.addEventListener("popstate", () => {
    const { id, message: at } = readAddress(location.hash);
    if (id && (id !== client.kept.id || at)) void enter(id, at);
    else if (!id && client.kept.id) void leave(false);
  });

  // What happens elsewhere

  const live = createLive({
    conversation: shelf.heard,
    lost(id) {
      shelf.forget(id);
      if (id !== client.kept.id) return;
      toast(message("library.gone"));
      void fresh();
    },
    message: (told) => told.conversation_id === client.kept.id && book.heard(told.id),
    settings: settingsTold,
    missed() {
      void shelf.load();
      book.refresh();
    },
    hidden: () => book.flushDraft(),
  });

  const search = bindSearch(parts, {
    open: (id, at) => void go(id, at),
    ended: shelf.show,
    fail,
  });

  // The sidebar itself

  parts.fresh.addEventListener("click", () => void fresh());
  parts.hidden.addEventListener("click", () => void fresh({ ephemeral: true }));
  parts.transfer.addEventListener("click", () => void openTransfer());

  /** @param {Stored} [of] */
  async function openTransfer(of = shelf.find(client.kept.id)) {
    const { transfer } = await import("./library-dialogs.js");
    transfer(of ? { id: of.id, title: titleOf(of) } : null);
  }

  /** Whether what is written goes by HTTP: with files, or where nothing is spoken anyway. */
  const written = () =>
    files.any || !settings.speakReplies || !client.canTalk || client.conversation.items.some(({ files: its }) => its.length > 0);

  return {
    /** Show what there is. */
    async start() {
      show();
      void shelf.load().then(live.follow);
      void fetchSettings().then((told) => told && settingsTold(told), () => undefined);
      const { id, message: at } = readAddress(location.hash);
      if (id) await enter(id, at, client.kept.id === id);
      else if (client.kept.id) begun(client.kept.id);
    },
    fresh,
    begun,
    written,
    search() {
      if (side.hidden) setOpen(true);
      parts.search.focus();
    },
    openTransfer: () => void openTransfer(),
    toggle: () => setOpen(side.hidden),
    get sending() {
      return sending.busy;
    },
    get uploading() {
      return files.waiting;
    },

    /** @param {string} text */
    async send(text) {
      await client.talk.stopReply();
      void sending.send(text, files.take());
      book.flushDraft();
      return true;
    },
    /** A message was sent: the draft is no more. */
    sent: () => book.flushDraft(),
    stop: () => void sending.stop(),

    /** @param {string} id @param {string} text */
    async resend(id, text) {
      const item = client.conversation.items.find((each) => each.id === id);
      if (!item) return;
      await client.talk.stopReply();
      void sending.edit(item, text);
    },
    /** @param {string} id */
    async regenerate(id) {
      await client.talk.stopReply();
      void sending.regenerate(id);
    },
    retry: sending.retry,
    decide: sending.decide,
    /** Play what was recorded of a turn; false if nothing was. @param {string} id */
    replay(id) {
      const { id: conversation } = client.kept;
      const item = client.conversation.items.find((each) => each.id === id);
      if (!item?.recorded || !conversation) return false;
      playRecorded(client.speaker, conversation, id).catch(fail);
      return true;
    },
    /** @param {string} id */
    takeBack(id) {
      const item = sending.takeBack(id);
      if (!item) return;
      files.restore(item.files);
      box.value = item.text;
      typed();
      box.focus();
    },

    /** @param {string} _ @param {string} version */
    choose: (_, version) => void book.choose(version).catch(fail),
    /** @param {string} id */
    branch: (id) => void book.branch(id).catch(fail),
    /** @param {string} id */
    async compare(id) {
      const [{ compareVersions }, versions] = await Promise.all([import("./library-dialogs.js"), book.versions(id)]);
      compareVersions(versions, messageId(id), (version) => void book.choose(version).catch(fail));
    },

    /** A setting was changed here. @param {string} name */
    set(name) {
      if (isShared(name)) storeSettings(settings).catch(fail);
    },
    /** In the page's language, which is another now. */
    relabel() {
      parts.relabel();
      void shelf.load();
    },
    async models() {
      return (await ask("GET", "/models")).models;
    },
  };
}

/** @typedef {NonNullable<Awaited<ReturnType<typeof openLibrary>>>} Library */
