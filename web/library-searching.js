// @ts-check
/** The fields to search with; the search itself is loaded when it is wanted. */

const PAUSE_MS = 250;

/**
 * @param {ReturnType<typeof import("./library-side.js").createSide>} parts
 * @param {object} ports
 * @param {(id: string, message: string | null) => void} ports.open
 * @param {() => void} ports.ended the list has its place again
 * @param {(error: unknown) => void} ports.fail
 */
export function bindSearch({ search, since, until, dates, list, status }, { open, ended, fail }) {
  /** @type {ReturnType<typeof import("./library-search.js").createSearch> | undefined} */
  let find;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;
  let on = false;

  async function run() {
    const words = search.value.trim();
    on = words !== "";
    dates.hidden = !on;
    if (!on) {
      status.textContent = "";
      return ended();
    }
    list.ariaBusy = "true";
    try {
      const { createSearch } = await import("./library-search.js");
      find ??= createSearch(list, status, open);
      await find({ words, since: since.value, until: until.value });
    } catch (error) {
      list.ariaBusy = null;
      fail(error);
    }
  }

  for (const field of [search, since, until]) {
    field.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => void run(), PAUSE_MS);
    });
  }
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !search.value) return;
    event.stopPropagation();
    search.value = "";
    void run();
  });

  return {
    /** What was found stands where the list stood. */
    get on() {
      return on;
    },
  };
}
