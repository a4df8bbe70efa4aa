// Percentiles, medians, and loops that are bounded in number and in time. Pure.

/** Nearest-rank percentile. @param {number[]} values @param {number} percent @returns {number} */
export function percentile(values, percent) {
  if (values.length === 0) throw new Error('no samples');
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
}

/** Middle value, or the mean of the two middle ones. @param {number[]} values @returns {number} */
export function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How sure an interval is to hold the true median. */
const CONFIDENCE = 0.95;

/**
 * The median of a sample, and an interval by order statistics that holds the true median in 95 of 100 samples, for any distribution.
 * @param {number[]} values
 * @returns {{ median: number, low: number, high: number }} the whole range where there are too few values for that
 */
export function medianInterval(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const count = sorted.length;
  // How likely it is that at most `skipped` of the values lie below the true median: a coin thrown `count` times.
  let outside = 0;
  let term = 0.5 ** count;
  let skipped = 0;
  for (; skipped < count / 2; skipped++) {
    if (outside + term > (1 - CONFIDENCE) / 2) break;
    outside += term;
    term *= (count - skipped) / (skipped + 1);
  }
  const from = Math.max(0, skipped - 1);
  return { median: median(values), low: sorted[from], high: sorted[count - 1 - from] };
}

/**
 * Measures two ways in turn, each round one, other, other, one, so that a drift within a round affects both.
 * @param {() => number | Promise<number>} one @param {() => number | Promise<number>} other @param {number} rounds
 * @returns {Promise<number[]>} for each round the figures of the other divided by those of the one
 */
export async function ratiosInTurn(one, other, rounds) {
  const ratios = [];
  while (ratios.length < rounds) {
    const first = await one();
    const others = (await other()) + (await other());
    ratios.push(others / (first + (await one())));
  }
  return ratios;
}

/**
 * Milliseconds that each call of `step` took, one after the other; a number that it resolves to counts instead.
 * @param {{ count: number, maxMs: number, warmUp?: number }} bounds
 * @param {(n: number) => Promise<number | void>} step
 * @returns {Promise<number[]>}
 */
export async function sample({ count, maxMs, warmUp = 0 }, step) {
  const warmUntil = performance.now() + maxMs / 4;
  let n = 0;
  while (n < warmUp && performance.now() < warmUntil) await step(n++);
  const until = performance.now() + maxMs;
  /** @type {number[]} */
  const samples = [];
  while (samples.length < count) {
    const start = performance.now();
    const measured = await step(n++);
    const end = performance.now();
    samples.push(measured ?? end - start);
    if (end > until) break;
  }
  return samples;
}

/** @param {number} ms @returns {Promise<void>} */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** @template T @param {Promise<T>} promise @param {number} ms @param {string} what @returns {Promise<T>} */
export async function within(promise, ms, what) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const limit = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${ms / 1000} s`)), ms);
  });
  try {
    return await /** @type {Promise<T>} */ (Promise.race([promise, limit]));
  } finally {
    clearTimeout(timer);
  }
}
