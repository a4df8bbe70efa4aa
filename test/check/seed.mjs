// Chooses the seed of a run, for everything random in its tests. They take it from TEST_SEED. Knows no test.

/** Seeds are whole numbers below this. */
const SEEDS = 2 ** 31;

/** @returns {string} */
export function newSeed() {
  return String(Math.floor(Math.random() * SEEDS));
}
