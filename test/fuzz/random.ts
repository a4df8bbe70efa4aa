// Owns repeatable randomness: one seed, one sequence. Knows nothing of what is made with it.

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
  /** A source of its own that does not disturb this one's sequence any further. */
  fork(): Random;
}

/** Mulberry32: 32 bits of state, enough spread for choices. @param seed Any whole number. */
export function createRandom(seed: number): Random {
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
    fork: () => createRandom(int(0, 2 ** 32 - 1)),
  };
}
