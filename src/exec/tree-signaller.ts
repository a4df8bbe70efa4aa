/**
 * Signals command trees, all that are asked for in one turn of the loop with one look at the table of processes: at the drain's deadline
 * a thousand commands end at once, and each look costs milliseconds. Knows no command.
 */
import type { KillTarget } from './command.js';

export interface TreeSignallerOptions {
  /** Signals trees; resolves to the pids of those that lived at its last look. */
  readonly signal: (targets: readonly KillTarget[], signal: NodeJS.Signals) => Promise<number[]>;
  /** Called with what SIGKILL did not end. */
  readonly onSurvivors: (pids: readonly number[]) => void;
}

/** Collects targets and signals them once a turn. */
export class TreeSignaller {
  readonly #options: TreeSignallerOptions;
  #targets = new Map<NodeJS.Signals, KillTarget[]>();

  constructor(options: TreeSignallerOptions) {
    this.#options = options;
  }

  add(target: KillTarget, signal: NodeJS.Signals): void {
    if (this.#targets.size === 0) setImmediate(() => this.#flush());
    const targets = this.#targets.get(signal);
    if (targets === undefined) this.#targets.set(signal, [target]);
    else targets.push(target);
  }

  #flush(): void {
    const collected = this.#targets;
    this.#targets = new Map();
    for (const [signal, targets] of collected) {
      // It never rejects: whoever cannot be signalled is a survivor.
      void this.#options.signal(targets, signal).then((left) => {
        if (signal === 'SIGKILL' && left.length > 0) this.#options.onSurvivors(left);
      });
    }
  }
}
