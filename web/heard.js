// @ts-check
/** How far into a reply's text its listener has come. Pure. */

/** @typedef {{ text: string, start_ms: number, end_ms: number }} Word */

/**
 * The number of characters of `text` whose words began before `ms`. Words are looked up in order; one
 * that is not found is passed over, so a difference of spelling never loses the rest.
 * @param {string} text
 * @param {readonly Word[]} words
 * @param {number} ms
 */
export function heardLength(text, words, ms) {
  let end = 0;
  for (const word of words) {
    if (word.start_ms >= ms) break;
    const found = text.indexOf(word.text.trim(), end);
    if (found >= 0) end = found + word.text.trim().length;
  }
  // Marks of punctuation belong to the word before them.
  while (end > 0 && end < text.length && !/[\s\p{L}\p{N}]/u.test(text.charAt(end))) end++;
  return end;
}
