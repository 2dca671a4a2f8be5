// @ts-check
/** The sound of a turn, as the server keeps it. Pure. */

/** What the loudspeaker calls a turn that is played again: the server is told nothing of it. */
export const REPLAY = "replay:";

/**
 * The samples in a retrieved item, null if it has none (any more).
 * @param {{ content?: { audio?: string | null }[] } | undefined} item
 * @returns {Int16Array | null}
 */
export function soundOf(item) {
  const encoded = (item?.content ?? []).map((part) => part.audio).find(Boolean);
  if (!encoded) return null;
  const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
  return new Int16Array(bytes.buffer, 0, Math.floor(bytes.length / 2));
}
