// Chooses the seed of a run. The tests take it from TEST_SEED for everything random. Knows no test.

/** Seeds are whole numbers below this. */
const SEEDS = 2 ** 31;

/** @returns {string} */
export function newSeed() {
  return String(Math.floor(Math.random() * SEEDS));
}
