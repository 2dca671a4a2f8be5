// @ts-check
/** The conversations as the sidebar lists them: page by page, those of the archive, those with a tag; and
 * what is done with one of them, shown at once and taken back if the server refuses.
 */

import { ask } from "./library-api.js";
import { place } from "./library-days.js";
import { createList, titleOf } from "./library-list.js";
import { message } from "./messages.js";

/** @typedef {import("./library-api.js").Stored} Stored */

const PAGE = 40;
const NEAR_END = 400;

/**
 * @param {object} ports
 * @param {ReturnType<typeof import("./library-side.js").createSide>} ports.parts
 * @param {() => string | null} ports.open which one is open
 * @param {() => boolean} ports.searching what was found is listed instead
 * @param {(id: string) => void} ports.go
 * @param {(id: string) => Promise<() => Promise<void>>} ports.deleted leave it if it is open; how to come back
 * @param {(of: Stored) => void} ports.exportOne
 * @param {(draft: string) => void} ports.drafted the open one has this draft
 * @param {(error: unknown) => void} ports.fail
 */
export function createShelf({ parts, open, searching, go, deleted, exportOne, drafted, fail }) {
  /** @type {Stored[]} */
  let all = [];
  /** @type {string | null} */
  let cursor = null;
  let archived = false;
  /** Only those with this tag. */
  let tagged = "";
  let loading = false;

  const list = createList(parts.list, {
    open: go,
    change: (id, patch) => void change(id, patch),
    remove: (of) => void remove(of),
    exportOne,
    filter: only,
  });

  /** @param {string} tag */
  function only(tag) {
    tagged = tag;
    void load();
  }

  /** @param {string | null} [from] */
  async function load(from = null) {
    if (loading && from) return;
    loading = true;
    if (!from && all.length === 0) list.showSkeletons();
    parts.filter.hidden = !tagged;
    parts.filter.textContent = tagged && `${tagged} ×`;
    const query = new URLSearchParams({ archived: String(archived), limit: String(PAGE) });
    if (tagged) query.set("tag", tagged);
    try {
      const rest = new URLSearchParams([...query, ["pinned", "false"], ...(from ? [["cursor", from]] : [])]);
      const [pinned, page] = await Promise.all([
        from ? null : ask("GET", `/conversations?${query}&pinned=true`),
        ask("GET", `/conversations?${rest}`),
      ]);
      const before = from ? all : pinned.conversations;
      const known = new Set(before.map((/** @type {Stored} */ { id }) => id));
      all = [...before, ...page.conversations.filter((/** @type {Stored} */ { id }) => !known.has(id))];
      cursor = page.cursor;
      show();
    } catch (error) {
      if (!from) list.showFailure(() => void load());
      else fail(error);
    } finally {
      loading = false;
    }
  }

  function show() {
    const id = open();
    const shown = find(id);
    document.title = shown && shown.title_source !== "temporary" ? `${shown.title} – Vivavoce` : "Vivavoce";
    if (!searching()) list.show(all, id);
  }

  /** @param {string | null} wanted */
  const find = (wanted) => all.find(({ id }) => id === wanted);

  /** @param {string} id @param {Partial<Stored>} patch */
  async function change(id, patch) {
    const before = all;
    all = all.map((each) => (each.id === id ? { ...each, ...patch } : each));
    if (patch.title) all = all.map((each) => (each.id === id ? { ...each, title_source: "given" } : each));
    if (patch.archived !== undefined) all = all.filter((each) => each.id !== id);
    show();
    try {
      heard(await ask("PATCH", `/conversations/${id}`, patch, { "if-match": "*" }));
    } catch (error) {
      all = before;
      show();
      fail(error);
    }
  }

  /** @param {Stored} of */
  async function remove(of) {
    const before = all;
    forget(of.id);
    try {
      await ask("DELETE", `/conversations/${of.id}`);
    } catch (error) {
      all = before;
      show();
      return fail(error);
    }
    const back = await deleted(of.id);
    parts.toast(message("library.deleted", { title: titleOf(of) }), async () => {
      try {
        heard(await ask("POST", `/conversations/${of.id}/restore`, {}));
        await back();
      } catch (error) {
        fail(error);
      }
    });
  }

  /** It is new, or another. @param {Stored} conversation */
  function heard(conversation) {
    const here = conversation.archived === archived && (!tagged || conversation.tags.includes(tagged));
    const shown = here && !conversation.ephemeral;
    all = place(all, conversation.id, shown ? conversation : null);
    if (conversation.id === open()) drafted(conversation.draft);
    show();
  }

  /** It is gone. @param {string} id */
  function forget(id) {
    all = place(all, id, null);
    show();
  }

  parts.list.addEventListener(
    "scroll",
    () => {
      const { scrollTop, scrollHeight, clientHeight } = parts.list;
      if (cursor && !searching() && scrollHeight - scrollTop - clientHeight < NEAR_END) void load(cursor);
    },
    { passive: true },
  );
  parts.filter.addEventListener("click", () => only(""));
  parts.archive.addEventListener("click", () => {
    archived = !archived;
    parts.archive.dataset.message = archived ? "library.archive.leave" : "library.archive";
    parts.archive.ariaPressed = String(archived);
    parts.relabel();
    all = [];
    void load();
  });

  return { load: () => load(), show, find, heard, forget };
}
