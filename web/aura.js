// @ts-check
/**
 * The living orb around the talk button: its size is the level, its colour and movement the phase.
 * Colours come from the stylesheet. It is drawn only while something moves.
 */

const POINTS = 96;
const LAYERS = [
  { lobes: 3, speed: 0.55, reach: 1, alpha: 0.16 },
  { lobes: 4, speed: -0.4, reach: 0.72, alpha: 0.24 },
  { lobes: 2, speed: 0.3, reach: 0.44, alpha: 0.4 },
];
/** Nothing goes on: the orb stands still, and no frame is drawn. */
const STILL = new Set(["ready", "offline", "muted"]);
/** A page that is connected so soon after it was opened shows no waiting. */
const SOON_MS = 1000;

/**
 * @param {HTMLCanvasElement} canvas a square around the button
 * @param {() => { phase: string, level: number }} look
 */
export function createAura(canvas, look) {
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  let level = 0;
  let frame = 0;
  let colour = "";
  /** Set when a frame is wanted although nothing moves. */
  let stale = true;

  /** @param {number} now ms */
  function draw(now) {
    frame = 0;
    const { phase, level: target } = look();
    level += (target - level) * (target > level ? 0.4 : 0.1);
    fit();
    if (stale) colour = getComputedStyle(canvas).color;
    stale = false;
    const size = canvas.clientWidth;
    const inner = size * 0.27;
    const room = size * 0.2;
    const time = calm.matches ? 0 : now / 1000;
    pen.clearRect(0, 0, size, size);
    pen.fillStyle = colour;
    const soon = phase === "connecting" && now < SOON_MS;
    if (soon) setTimeout(wake, SOON_MS - now);
    if (phase === "thinking" || (phase === "connecting" && !soon)) orbit(size, inner + room * 0.32, time);
    else if (phase !== "offline") {
      const moves = !STILL.has(phase) && !soon && !calm.matches;
      const breath = moves ? 0.12 + 0.05 * Math.sin(time * 1.4) : 0.12;
      const strength = phase === "asleep" || phase === "muted" ? 0.55 : 1;
      for (const layer of LAYERS) blob(size, inner, room, time, layer, breath, strength);
    }
    const moving = calm.matches ? Math.abs(target - level) > 0.005 : !STILL.has(phase) && !soon;
    if (moving || (level > 0.005 && target === 0)) wake();
  }

  /**
   * @param {number} size
   * @param {number} inner
   * @param {number} room
   * @param {number} time
   * @param {typeof LAYERS[number]} layer
   * @param {number} breath
   * @param {number} strength
   */
  function blob(size, inner, room, time, layer, breath, strength) {
    pen.globalAlpha = layer.alpha * strength;
    pen.beginPath();
    const middle = size / 2;
    const base = inner + room * (0.16 + breath + level * 0.6) * layer.reach;
    const swing = room * layer.reach * (calm.matches ? 0 : 0.035 + level * 0.11);
    for (let i = 0; i < POINTS; i++) {
      const angle = (i / POINTS) * 2 * Math.PI;
      const wave =
        Math.sin(angle * layer.lobes + time * layer.speed * 4) +
        0.5 * Math.sin(angle * (layer.lobes + 2) - time * layer.speed * 2.5);
      const radius = base + wave * swing;
      pen.lineTo(middle + radius * Math.cos(angle), middle + radius * Math.sin(angle));
    }
    pen.closePath();
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
    const steps = 60;
    for (let i = 0; i < steps; i++) {
      const angle = (i / steps) * 2 * Math.PI - Math.PI / 2;
      const behind = (((time * 0.4 * steps - i) % steps) + steps) % steps;
      const near = Math.max(0, 1 - behind / (steps * 0.6));
      pen.globalAlpha = calm.matches ? 0.5 : 0.12 + 0.88 * near;
      pen.beginPath();
      const x = size / 2 + radius * Math.cos(angle);
      const y = size / 2 + radius * Math.sin(angle);
      pen.arc(x, y, size * (0.0055 + (calm.matches ? 0 : 0.006 * near)) + 0.3, 0, 2 * Math.PI);
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
    stale = true;
    wake();
  }
  new ResizeObserver(refresh).observe(canvas);
  return { refresh, wake };
}
