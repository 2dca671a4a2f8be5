// @ts-check
/**
 * Change of sample rate for a stream: windowed-sinc, polyphase. Pure.
 *
 * Output n lies at input time n * from / to. With whole rates only `to / gcd` different positions
 * between two input samples occur, so the filter is worked out once for each (a polyphase bank; J. O.
 * Smith, "Digital Audio Resampling", section "Theory of Operation").
 */

/** Zero crossings of the sinc on either side; 16 with a Blackman window keeps aliases below -60 dB. */
const CROSSINGS = 16;

/** Fraction of the narrower band that passes; the rest is the filter's slope. */
const PASSBAND = 0.92;

/**
 * A resampler from one rate to another; both in Hz, whole numbers. Equal rates pass samples through.
 * `process` may be called with blocks of any size: the output does not depend on how they are cut.
 * @param {number} from
 * @param {number} to
 * @returns {{ process(input: Float32Array): Float32Array, flush(): Float32Array }}
 */
export function createResampler(from, to) {
  if (from === to) return { process: (input) => input, flush: () => new Float32Array(0) };
  const divisor = gcd(from, to);
  const up = to / divisor;
  const down = from / divisor;
  const { bank, taps } = filterBank(up, down);
  const before = taps / 2 - 1;

  // `held[0]` is input sample `first`; silence stands before the stream begins.
  let held = new Float32Array(before);
  let first = -before;
  let produced = 0;
  let received = 0;

  /** @param {Float32Array} input */
  function process(input) {
    received += input.length;
    const joined = new Float32Array(held.length + input.length);
    joined.set(held);
    joined.set(input, held.length);
    const end = first + joined.length;
    // Output n needs input up to floor(n * down / up) + taps / 2.
    const reach = end - taps / 2;
    const count = Math.max(0, Math.ceil((reach * up) / down) - produced);
    const output = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      const position = produced * down;
      const offset = Math.floor(position / up) - before - first;
      const row = (position % up) * taps;
      let sum = 0;
      for (let k = 0; k < taps; k++) {
        sum += /** @type {number} */ (bank[row + k]) * /** @type {number} */ (joined[offset + k]);
      }
      output[i] = sum;
      produced++;
    }
    const next = Math.max(0, Math.min(Math.floor((produced * down) / up) - before - first, joined.length));
    held = joined.slice(next);
    first += next;
    return output;
  }

  return {
    process,
    /** What the filter still holds; call once, at the end of the stream. */
    flush() {
      const whole = Math.ceil((received * up) / down);
      const missing = whole - produced;
      return process(new Float32Array(taps)).subarray(0, missing);
    },
  };
}

/**
 * One row of `taps` coefficients for each of `up` positions between two input samples.
 * @param {number} up
 * @param {number} down
 */
function filterBank(up, down) {
  const cutoff = PASSBAND * Math.min(1, up / down);
  const half = Math.ceil(CROSSINGS / cutoff);
  const taps = 2 * half;
  const bank = new Float32Array(up * taps);
  for (let phase = 0; phase < up; phase++) {
    const row = new Float64Array(taps);
    let sum = 0;
    for (let k = 0; k < taps; k++) {
      const x = k - half + 1 - phase / up;
      row[k] = sinc(cutoff * x) * blackman(x / half);
      sum += /** @type {number} */ (row[k]);
    }
    // Each row sums to one, so that a constant stays that constant.
    for (let k = 0; k < taps; k++) bank[phase * taps + k] = /** @type {number} */ (row[k]) / sum;
  }
  return { bank, taps };
}

/** @param {number} x */
function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** @param {number} x position in the window, -1 to 1 */
function blackman(x) {
  if (Math.abs(x) >= 1) return 0;
  return 0.42 + 0.5 * Math.cos(Math.PI * x) + 0.08 * Math.cos(2 * Math.PI * x);
}

/**
 * @param {number} a
 * @param {number} b
 * @returns {number}
 */
function gcd(a, b) {
  return b === 0 ? a : gcd(b, a % b);
}
