/**
 * Collects the targets of one turn of the event loop and signals them together. At the drain's deadline a thousand commands end at once, and a
 * balancer that stops takes a thousand connections with it; one look for all costs little more than a look for one. Knows no command.
 */
import { killUntilGone, signalTree } from './kill-until-gone.js';
import type { TreeTarget } from './tree-scan.js';

export interface TreeSignallerOptions {
  /** Called with the pids that SIGKILL did not end. */
  readonly onSurvivors: (pids: readonly number[]) => void;
  /** Default: the real function. */
  readonly signalTree?: typeof signalTree;
  readonly killUntilGone?: typeof killUntilGone;
}

export class TreeSignaller {
  readonly #options: Required<TreeSignallerOptions>;
  #targets = new Map<NodeJS.Signals, TreeTarget[]>();
  #flushed: Promise<readonly number[]> | undefined;

  constructor(options: TreeSignallerOptions) {
    this.#options = { signalTree, killUntilGone, ...options };
  }

  /**
   * Signals a target at the end of this turn; SIGKILL until no process is left.
   * @returns pids that survived SIGKILL, including those of other targets of this turn; none for other signals. Never rejects.
   */
  signal(target: TreeTarget, signal: NodeJS.Signals): Promise<readonly number[]> {
    const targets = this.#targets.get(signal);
    if (targets === undefined) this.#targets.set(signal, [target]);
    else targets.push(target);
    this.#flushed ??= new Promise((resolve) => setImmediate(() => resolve(this.#flush())));
    return this.#flushed;
  }

  async #flush(): Promise<readonly number[]> {
    const collected = this.#targets;
    this.#targets = new Map();
    this.#flushed = undefined;
    let survivors: readonly number[] = [];
    for (const [signal, targets] of collected) {
      if (signal !== 'SIGKILL') this.#options.signalTree(targets, signal);
    }
    const killed = collected.get('SIGKILL');
    if (killed !== undefined) survivors = await this.#options.killUntilGone(killed);
    if (survivors.length > 0) this.#options.onSurvivors(survivors);
    return survivors;
  }
}
