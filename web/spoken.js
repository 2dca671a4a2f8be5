// @ts-check
/** A reply's words as they sound: said, sounding, and still to come. */

/**
 * @param {HTMLElement} node is emptied first
 * @param {string} text
 * @param {number} heard how many characters the listener has come into it; -1 if that does not matter
 * @param {boolean} sounds the last of these characters sound now
 * @param {boolean} [cut] what is not heard will never be
 */
export function drawSpoken(node, text, heard, sounds, cut = false) {
  const word = sounds && heard >= 0 ? text.slice(0, heard).search(/\S+$/u) : -1;
  const begun = heard < 0 ? text.length : word < 0 ? heard : word;
  node.replaceChildren(text.slice(0, begun));
  if (word >= 0) node.append(span("now", text.slice(word, heard)));
  const rest = heard < 0 || (cut && !sounds) ? "" : text.slice(heard);
  if (rest) node.append(span("ahead", rest));
}

/**
 * @param {string} name
 * @param {string} content
 */
export function span(name, content) {
  const node = document.createElement("span");
  node.className = name;
  node.textContent = content;
  return node;
}
