// @ts-check
/** The small drawings that are made by script; those of index.html stand there. */

const PATHS = Object.freeze({
  copy: "M9 9h10v10H9zM5 15V5h10",
  replay: "M8 6l10 6-10 6z",
  edit: "M5 19l1-4L16 5l3 3L9 18z",
  again: "M18.5 9A7 7 0 1 0 19 13M19 5v4h-4",
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
