/** How long to wait before the next attempt. Does not know what is attempted. */

/** Milliseconds before the second attempt. Short, because a balancer replaces a server that restarts at once. */
const FIRST_DELAY_MS = 100;
/** Most milliseconds between two attempts: about fifteen attempts a minute. */
const LONGEST_DELAY_MS = 5_000;
/** The part of a delay that is random, so that a thousand clients of one server do not connect at the same moment. */
const JITTER = 0.5;

/**
 * Milliseconds to wait before the next attempt: doubles from 100 ms to 5 s, and is shortened by up to a half at random.
 * @param attempt number of the attempt that has just failed, counted from 0
 * @param atLeastMs milliseconds that the server asked to wait
 */
export function backOffMs(attempt: number, random: () => number, atLeastMs = 0): number {
  const delayMs = Math.min(FIRST_DELAY_MS * 2 ** attempt, LONGEST_DELAY_MS);
  // Added to the time that the server asked for, because it asks all its clients for the same time.
  return Math.max(0, atLeastMs) + delayMs * (1 - JITTER * random());
}
