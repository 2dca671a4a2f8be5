// @ts-check
/** The audio worklets: code for the audio thread that comes from the server like the page itself. */

/** A line that is dead says nothing: after so long without an answer the code will not come. */
const PATIENCE_MS = 4000;

/**
 * @param {AudioContext} context
 * @param {"capture" | "playback"} name
 * @throws {Error} if its code does not come
 */
export async function loadWorklet(context, name) {
  const loaded = context.audioWorklet.addModule(new URL(`./worklets/${name}.js`, import.meta.url));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the worklet ${name} does not come`)), PATIENCE_MS);
  });
  try {
    await Promise.race([loaded, late]);
  } finally {
    clearTimeout(timer);
    loaded.catch(() => {}); // it may still fail when nobody waits for it any more
  }
}
