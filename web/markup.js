// @ts-check
/**
 * Markdown as the server has rendered and sanitised it. The page renders none itself, and this is the
 * one place where markup goes into the document. Where the browser has a sanitiser of its own
 * (`setHTML`), the markup passes that too; scripts are shut out by the page's policy in any case.
 */

import { icon } from "./icons.js";
import { message } from "./messages.js";

/**
 * @param {HTMLElement} node
 * @param {string} html sanitised by the server, nothing else
 * @param {(text: string) => void} copy
 */
export function showHtml(node, html, copy) {
  const careful = /** @type {{ setHTML?: (html: string) => void }} */ (/** @type {unknown} */ (node));
  if (careful.setHTML) careful.setHTML(html);
  else node.innerHTML = html;
  for (const link of node.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  for (const pre of node.querySelectorAll("pre")) {
    const frame = document.createElement("div");
    frame.className = "code";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "icon";
    button.ariaLabel = button.title = message("turn.copy");
    button.append(icon("copy"));
    button.addEventListener("click", () => copy(pre.innerText));
    // Long lines are scrolled to, by key too.
    pre.tabIndex = 0;
    pre.replaceWith(frame);
    frame.append(pre, button);
  }
}
