// @ts-check
/** Finding a command by some of its letters. Pure. */

/** Case and accents do not matter. @param {string} text */
const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/**
 * Those whose names hold what is wanted, best first: the words as they stand, then the letters in order.
 * @template {{ name: string }} T
 * @param {readonly T[]} all
 * @param {string} wanted
 * @returns {T[]}
 */
export function rank(all, wanted) {
  const letters = fold(wanted.trim());
  const scored = all.map((one, index) => ({ one, index, score: score(fold(one.name), letters) }));
  const found = scored.filter(({ score: its }) => its >= 0);
  return found.sort((a, b) => b.score - a.score || a.index - b.index).map(({ one }) => one);
}

/**
 * @param {string} name
 * @param {string} letters
 * @returns {number} -1: not found
 */
function score(name, letters) {
  if (letters === "") return 0;
  const at = name.indexOf(letters);
  if (at >= 0) return at === 0 || /\s/.test(name.charAt(at - 1)) ? 3 : 2;
  let from = 0;
  for (const letter of letters) {
    from = name.indexOf(letter, from) + 1;
    if (from === 0) return -1;
  }
  return 1;
}
