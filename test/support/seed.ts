/** The seed of everything random in a test run, and the random source made from it. Knows nothing of its use. */

/** Seeds are whole numbers below this. */
const SEEDS = 2 ** 31;

/** `TEST_SEED`, or a new one in each run. `npm test` chooses one for all files and prints it. */
export const SEED = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * SEEDS));
if (!Number.isInteger(SEED)) throw new Error(`TEST_SEED is ${process.env.TEST_SEED}; give it a whole number`);
if (process.env.TEST_SEED === undefined) process.stderr.write(`seed ${SEED}: TEST_SEED=${SEED} repeats this run\n`);

/** A source of random choices that gives the same sequence for the same seed. Not for secrets. */
export interface Random {
  /** At least 0, less than 1. */
  fraction(): number;
  /** A whole number, `min` and `max` included. */
  int(min: number, max: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  /** One of the choices. */
  pick<Choice>(choices: readonly [Choice, ...Choice[]]): Choice;
  /** So many bytes. */
  bytes(count: number): Buffer;
  /** A source of its own, which does not change the further sequence of this one. */
  fork(): Random;
}

/** Mulberry32: 32 bits of state, random enough for choices. @param seed any whole number, default {@link SEED} */
export function createRandom(seed: number = SEED): Random {
  let state = seed >>> 0;
  function fraction(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const int = (min: number, max: number) => min + Math.floor(fraction() * (max - min + 1));
  return {
    fraction,
    int,
    chance: (probability) => fraction() < probability,
    pick: (choices) => choices[int(0, choices.length - 1)] ?? choices[0],
    bytes(count) {
      const bytes = Buffer.allocUnsafe(count);
      for (let at = 0; at < count; at += 1) bytes[at] = int(0, 255);
      return bytes;
    },
    fork: () => createRandom(int(0, 2 ** 32 - 1)),
  };
}
