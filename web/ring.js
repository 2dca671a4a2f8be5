// @ts-check
/**
 * A first-in first-out store of samples that grows up to a limit. Pure.
 *
 * A reply arrives faster than it is spoken, so the store holds all that is still to be said. Growth
 * copies, which is why it doubles: a reply of a minute grows three times.
 */

/**
 * @param {number} capacity samples at first
 * @param {number} limit samples at most; what does not fit is refused
 */
export function createRing(capacity, limit) {
  let store = new Float32Array(capacity);
  let start = 0;
  let length = 0;

  /** @param {number} needed */
  function grow(needed) {
    let size = store.length;
    while (size < needed) size *= 2;
    const bigger = new Float32Array(Math.min(size, limit));
    copyOut(bigger, length);
    store = bigger;
    start = 0;
  }

  /**
   * @param {Float32Array} target
   * @param {number} count
   */
  function copyOut(target, count) {
    const first = Math.min(count, store.length - start);
    target.set(store.subarray(start, start + first));
    target.set(store.subarray(0, count - first), first);
  }

  return {
    get length() {
      return length;
    },

    /**
     * Store samples; returns how many fitted.
     * @param {Float32Array} samples
     */
    write(samples) {
      const count = Math.min(samples.length, limit - length);
      if (length + count > store.length) grow(length + count);
      const end = (start + length) % store.length;
      const first = Math.min(count, store.length - end);
      store.set(samples.subarray(0, first), end);
      store.set(samples.subarray(first, count), 0);
      length += count;
      return count;
    },

    /**
     * Take the oldest samples into `target`; returns how many there were.
     * @param {Float32Array} target
     */
    read(target) {
      const count = Math.min(target.length, length);
      copyOut(target, count);
      start = (start + count) % store.length;
      length -= count;
      return count;
    },
  };
}

/** @typedef {ReturnType<typeof createRing>} Ring */
