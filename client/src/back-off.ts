/** How long to wait before the next attempt. Knows nothing of what is attempted. */

/** Milliseconds before the second attempt. Short: a server that restarts behind a balancer is replaced at once. */
const FIRST_DELAY_MS = 100;
/** Most milliseconds between two attempts. A minute of trying is then some fifteen attempts. */
const LONGEST_DELAY_MS = 5_000;
/** The share of a delay that is left to chance, so that a thousand clients of one server do not come back together. */
const JITTER = 0.5;

/**
 * Milliseconds to wait before an attempt; doubles from 100 ms to 5 s, less up to a half by chance.
 * @param attempt number of the attempt that has just failed, from 0
 * @param atLeastMs what the server asked for
 */
export function backOffMs(attempt: number, random: () => number, atLeastMs = 0): number {
  const delayMs = Math.min(FIRST_DELAY_MS * 2 ** attempt, LONGEST_DELAY_MS);
  // Jitter on top of what the server asked for, or all of its clients come back in the same moment.
  return Math.max(0, atLeastMs) + delayMs * (1 - JITTER * random());
}
