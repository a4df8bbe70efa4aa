/**
 * The memory of all logs together. Logs with a reservation come first; logs that may drop old bytes share the rest. Beyond the limit the oldest bytes
 * of the largest of them go first. Knows no stream.
 */

/** One log's share of the budget. */
export interface BudgetShare {
  /** Bytes of memory held now. */
  readonly heldBytes: number;
  /** Bytes that are reserved for it, held or not. */
  readonly reservedBytes: number;
  /** Part of the held bytes that is given up already and will be free soon. */
  readonly leavingBytes: number;
  /** Gives up its oldest bytes. @returns bytes given up, 0 when it can give up none */
  forgetOldest(): number;
}

/** Part of the limit that is freed beyond what is needed, so that not every chunk of output has to look for the largest log. */
const SLACK_PART = 1 / 128;

export class ReplayBudget {
  readonly limitBytes: number;
  /** Each share with its last counted bytes, so that a chunk of output does not have to look at all logs. */
  readonly #counted = new Map<BudgetShare, number>();
  #usedBytes = 0;
  #reservedBytes = 0;
  #isEnforcing = false;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** Bytes that are not free: held ones and reserved ones. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Bytes held by all logs. */
  get heldBytes(): number {
    let sum = 0;
    for (const { heldBytes } of this.#counted.keys()) sum += heldBytes;
    return sum;
  }

  /** Whether so many more can be reserved. */
  canReserve(bytes: number): boolean {
    return bytes === 0 || this.#reservedBytes + bytes <= this.limitBytes;
  }

  add(share: BudgetShare): void {
    this.#reservedBytes += share.reservedBytes;
    this.#counted.set(share, 0);
    this.update(share);
  }

  remove(share: BudgetShare): void {
    const counted = this.#counted.get(share);
    if (counted === undefined) return;
    this.#counted.delete(share);
    this.#usedBytes -= counted;
    this.#reservedBytes -= share.reservedBytes;
  }

  /** To be called when a share holds more or less than before. */
  update(share: BudgetShare): void {
    this.#count(share);
    if (this.#usedBytes > this.limitBytes && !this.#isEnforcing) this.#enforce();
  }

  #count(share: BudgetShare): void {
    const counted = this.#counted.get(share);
    if (counted === undefined) return;
    const used = Math.max(share.heldBytes, share.reservedBytes);
    this.#counted.set(share, used);
    this.#usedBytes += used - counted;
  }

  #enforce(): void {
    this.#isEnforcing = true;
    const givers = [...this.#counted.keys()].filter(({ reservedBytes }) => reservedBytes === 0);
    let excess = this.#usedBytes - this.limitBytes;
    for (const { leavingBytes } of givers) excess -= leavingBytes;
    if (excess > 0) excess += this.limitBytes * SLACK_PART;
    while (excess > 0 && givers.length > 0) {
      const largest = givers.reduce((one, other) => (keptBytes(other) > keptBytes(one) ? other : one));
      const given = largest.forgetOldest();
      if (given === 0) givers.splice(givers.indexOf(largest), 1);
      excess -= given;
      this.#count(largest);
    }
    this.#isEnforcing = false;
  }
}

function keptBytes({ heldBytes, leavingBytes }: BudgetShare): number {
  return heldBytes - leavingBytes;
}
