// @ts-check
/** The small drawings that are made by script; those of index.html stand there. */

const PATHS = Object.freeze({
  copy: "M9 9h10v10H9zM5 15V5h10",
  replay: "M8 6l10 6-10 6z",
  edit: "M5 19l1-4L16 5l3 3L9 18z",
  again: "M18.5 9A7 7 0 1 0 19 13M19 5v4h-4",
  branch: "M7 4v16M7 13c6 0 10-2 10-7M14 8l3-3 3 3",
  earlier: "M14 7l-5 5 5 5",
  later: "M10 7l5 5-5 5",
  compare: "M4 5h7v14H4zM13 5h7v14h-7z",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  cross: "M7 7l10 10M17 7L7 17",
  plus: "M12 5v14M5 12h14",
  mask: "M4 9h16M7 9l1.5-4h7L17 9M8.5 17a2.5 2.5 0 1 1 0-5 2.5 2.5 0 0 1 0 5M15.5 17a2.5 2.5 0 1 1 0-5 2.5 2.5 0 0 1 0 5",
  pin: "M9 4h6l-1 6 3 3H7l3-3zM12 13v7",
  clock: "M12 5a7.5 7.5 0 1 1 0 15 7.5 7.5 0 0 1 0-15M12 8.5v4l2.5 1.5",
});

/** @typedef {keyof typeof PATHS} IconName */

/** @param {IconName} name */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
