/**
 * A pool of sandboxes that wait, ready, for a claim. A claim takes one, and a new one is started in its place; a claim that finds none starts its own
 * and waits for it. Knows no Kubernetes.
 */
import { SECOND_MS } from './assumptions.js';
import { Random } from './random.js';

export interface PoolOptions {
  /** Sandboxes that are ready or being started. */
  readonly size: number;
  /** Claims in a second, in the mean. */
  readonly claimsPerSecond: number;
  /** Claims that come together. Default 1. */
  readonly together?: number;
  /** Milliseconds from the start of a sandbox until it is ready. */
  readonly startMs: number;
  /** Claims of the run that count: those after the pool's beginning, when all of it is ready. */
  readonly claims: number;
  readonly seed: number;
}

/** Times that a sandbox takes to start, after which a run has forgotten how it began. */
const WARM_UP_STARTS = 3;

/** The share of claims that find no sandbox ready. */
export function simulatePool({ size, claimsPerSecond, together = 1, startMs, claims, seed }: PoolOptions): number {
  const random = new Random(seed);
  const meanGapMs = (SECOND_MS * together) / claimsPerSecond;
  /** When each sandbox of the pool is ready. All take as long to start, so the one that was taken first is ready first. */
  const readyAt = new Float64Array(size);
  let next = 0;
  let cold = 0;
  let counted = 0;
  let now = 0;
  for (let claim = 0; counted < claims; claim += 1) {
    if (claim % together === 0) now += random.exponential(meanGapMs);
    const counts = now > WARM_UP_STARTS * startMs;
    if (counts) counted += 1;
    if (size === 0 || (readyAt[next] ?? 0) > now) {
      if (counts) cold += 1;
      continue;
    }
    readyAt[next] = now + startMs;
    next = (next + 1) % size;
  }
  return cold / claims;
}

/**
 * The same share by Erlang's formula for lost calls, which holds for claims that come one by one, independently of one another.
 * @param offered claims that come while one sandbox starts, in the mean
 */
export function coldShareByFormula(size: number, offered: number): number {
  let share = 1;
  for (let count = 1; count <= size; count += 1) share = withOneMore(share, count, offered);
  return share;
}

/** The share with one sandbox more. @param count that one included */
function withOneMore(share: number, count: number, offered: number): number {
  return (offered * share) / (count + offered * share);
}

/** The smallest pool that leaves at most this share of claims cold, by the formula. */
export function sizeByFormula(coldShare: number, offered: number): number {
  let size = 0;
  for (let share = 1; share > coldShare; share = withOneMore(share, size, offered)) size += 1;
  return size;
}

/** The smallest pool that leaves at most this share of claims cold, by the simulation. */
export function sizeFor(coldShare: number, options: Omit<PoolOptions, 'size'>): number {
  let tooSmall = -1;
  let enough = 1;
  while (simulatePool({ ...options, size: enough }) > coldShare) {
    tooSmall = enough;
    enough *= 2;
  }
  while (enough - tooSmall > 1) {
    const middle = (enough + tooSmall) >> 1;
    if (simulatePool({ ...options, size: middle }) > coldShare) tooSmall = middle;
    else enough = middle;
  }
  return enough;
}
