/** Random numbers that a seed repeats. Knows no model. */

/** Added to the state at each draw: an odd number near 2^32 divided by the golden ratio, so that states do not repeat before 2^32 draws. */
const STEP = 0x9e3779b9;
const TWO_TO_32 = 2 ** 32;

/** Spreads the bits of a whole number below 2^32 over all of its bits; a permutation, so that different numbers stay different. */
export function mixed(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** A generator of one stream of numbers: the same seed gives the same numbers on every machine. */
export class Random {
  #state: number;

  /** @param seed any whole number */
  constructor(seed: number) {
    this.#state = mixed(seed);
  }

  /** A whole number from 0 to 2^32 - 1. */
  bits(): number {
    this.#state = (this.#state + STEP) | 0;
    return mixed(this.#state);
  }

  /** A number from 0, below 1. */
  uniform(): number {
    return this.bits() / TWO_TO_32;
  }

  /** A waiting time of events that come independently of one another, of this mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.uniform());
  }

  /** The longest of `count` such waiting times. */
  longestExponential(mean: number, count: number): number {
    return count === 0 ? 0 : -mean * Math.log(1 - this.uniform() ** (1 / count));
  }
}
