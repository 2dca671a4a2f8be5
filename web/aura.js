// @ts-check
/**
 * The living ring around the talk button: its size is the level, its colour and movement the phase.
 * Colours come from the stylesheet. It is drawn only while something moves.
 */

const POINTS = 120;
const LAYERS = [
  { lobes: 3, speed: 0.7, reach: 1, alpha: 0.2 },
  { lobes: 5, speed: -0.45, reach: 0.7, alpha: 0.3 },
  { lobes: 2, speed: 0.3, reach: 0.42, alpha: 0.45 },
];
const STILL = new Set(["ready", "offline"]);

/**
 * @param {HTMLCanvasElement} canvas a square around the button
 * @param {() => { phase: string, level: number }} look
 */
export function createAura(canvas, look) {
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  let level = 0;
  let frame = 0;
  let colour = "";

  /** @param {number} now ms */
  function draw(now) {
    frame = 0;
    const { phase, level: target } = look();
    level += (target - level) * (target > level ? 0.45 : 0.12);
    fit();
    const size = canvas.clientWidth;
    const inner = size * 0.31;
    const room = size * 0.18;
    const time = calm.matches ? 0 : now / 1000;
    pen.clearRect(0, 0, size, size);
    pen.fillStyle = pen.strokeStyle = colour;
    if (phase === "thinking" || phase === "connecting") orbit(size, inner + room * 0.3, time);
    else if (phase !== "offline") {
      const breath = STILL.has(phase) || calm.matches ? 0.1 : 0.1 + 0.04 * Math.sin(time * 1.6);
      for (const layer of LAYERS) blob(size, inner, room, time, layer, breath);
    }
    const moving = calm.matches ? Math.abs(target - level) > 0.005 : !STILL.has(phase);
    if (moving || (level > 0.005 && target === 0)) wake();
  }

  /**
   * @param {number} size
   * @param {number} inner
   * @param {number} room
   * @param {number} time
   * @param {typeof LAYERS[number]} layer
   * @param {number} breath
   */
  function blob(size, inner, room, time, layer, breath) {
    pen.globalAlpha = layer.alpha;
    pen.beginPath();
    const base = inner + room * (0.12 + breath + level * 0.58) * layer.reach;
    for (let i = 0; i <= POINTS; i++) {
      const angle = (i / POINTS) * 2 * Math.PI;
      const wave =
        Math.sin(angle * layer.lobes + time * layer.speed * 4) +
        0.5 * Math.sin(angle * (layer.lobes + 2) - time * layer.speed * 2.5);
      const radius = base + wave * room * layer.reach * (0.015 + (calm.matches ? 0 : level * 0.1));
      pen.lineTo(size / 2 + radius * Math.cos(angle), size / 2 + radius * Math.sin(angle));
    }
    pen.fill();
    pen.globalAlpha = 1;
  }

  /**
   * A light that travels round; where motion is unwanted, a still dotted ring.
   * @param {number} size
   * @param {number} radius
   * @param {number} time
   */
  function orbit(size, radius, time) {
    const steps = 48;
    for (let i = 0; i < steps; i++) {
      const angle = (i / steps) * 2 * Math.PI - Math.PI / 2;
      const behind = (((time * 0.45 * steps - i) % steps) + steps) % steps;
      pen.globalAlpha = calm.matches ? 0.5 : 0.14 + 0.86 * Math.max(0, 1 - behind / (steps * 0.6));
      pen.beginPath();
      const x = size / 2 + radius * Math.cos(angle);
      const y = size / 2 + radius * Math.sin(angle);
      pen.arc(x, y, size * 0.006 + 0.4, 0, 2 * Math.PI);
      pen.fill();
    }
    pen.globalAlpha = 1;
  }

  function fit() {
    const scale = window.devicePixelRatio || 1;
    const pixels = Math.round(canvas.clientWidth * scale);
    if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
  }

  function wake() {
    frame ||= requestAnimationFrame(draw);
  }

  /** The phase has changed, or the page's colours or size. */
  function refresh() {
    colour = getComputedStyle(canvas).color;
    wake();
  }
  dark.addEventListener("change", refresh);
  new ResizeObserver(refresh).observe(canvas);
  return { refresh, wake };
}
