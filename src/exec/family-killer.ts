/**
 * Kills what closed sessions leave behind, for all sessions that close in one turn of the loop together: a balancer that goes takes a
 * thousand connections with it, and each look at the table of processes costs milliseconds. Knows no session.
 */

/** Commands of one session: the leaders that run, and what all its markers begin with. */
export interface Family {
  readonly pids: readonly number[];
  readonly markerPrefix: string;
}

export interface FamilyKillerOptions {
  /** Kills families; resolves to the pids of survivors. */
  readonly kill: (families: readonly Family[]) => Promise<number[]>;
  readonly onSurvivors: (pids: readonly number[]) => void;
}

/** Collects families and kills them once a turn. */
export class FamilyKiller {
  readonly #options: FamilyKillerOptions;
  #families: Family[] = [];

  constructor(options: FamilyKillerOptions) {
    this.#options = options;
  }

  add(family: Family): void {
    if (this.#families.length === 0) setImmediate(() => void this.flush());
    this.#families.push(family);
  }

  /** Kills now what was collected; resolves when it is gone, or known to stay. Never rejects. */
  async flush(): Promise<void> {
    const families = this.#families;
    if (families.length === 0) return;
    this.#families = [];
    const survivors = await this.#options.kill(families);
    if (survivors.length > 0) this.#options.onSurvivors(survivors);
  }
}
