// @ts-check
/** Which conversation the page's address names: `#c=conv_...`, and `&m=msg_...` for a place in it. Pure. */

/** @param {string} hash @returns {{ id: string | null, message: string | null }} */
export function readAddress(hash) {
  const named = new URLSearchParams(hash.replace(/^#/, ""));
  return { id: named.get("c") || null, message: named.get("m") || null };
}

/** @param {string | null} id @param {string | null} [message] */
export function address(id, message) {
  if (!id) return location.pathname + location.search;
  return `#c=${encodeURIComponent(id)}${message ? `&m=${encodeURIComponent(message)}` : ""}`;
}
