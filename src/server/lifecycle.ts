/**
 * The phases of the service. They only move forward:
 *
 *     starting ──► running ──► leaving ──► draining ──► closed
 *         └───────────────────────▲ (a signal during the start)
 *
 * `leaving`: only `/readyz` has changed, so that balancers notice. `draining`: new work is refused.
 * Knows nothing of what happens in a phase: the parts of the service ask for the phase, or wait for one.
 */

/** In this order. */
export type Phase = 'starting' | 'running' | 'leaving' | 'draining' | 'closed';

/** All phases in their order. */
export const PHASES: readonly Phase[] = ['starting', 'running', 'leaving', 'draining', 'closed'];

/** Holds the phase of one service and tells its listeners when a phase is reached. */
export class Lifecycle {
  #phase: Phase = 'starting';
  readonly #waiting = new Map<Phase, Array<() => void>>();

  get phase(): Phase {
    return this.#phase;
  }

  /** Whether the phase, or one after it, has been reached. */
  reached(phase: Phase): boolean {
    return PHASES.indexOf(this.#phase) >= PHASES.indexOf(phase);
  }

  /** Moves forward; a phase already reached is left alone. @returns whether it moved */
  advance(phase: Phase): boolean {
    if (this.reached(phase)) return false;
    this.#phase = phase;
    for (const [waitedFor, callbacks] of this.#waiting) {
      if (!this.reached(waitedFor)) continue;
      this.#waiting.delete(waitedFor);
      for (const callback of callbacks) callback();
    }
    return true;
  }

  /** Calls back once when the phase is reached, at once if it has been. */
  on(phase: Phase, callback: () => void): void {
    if (this.reached(phase)) {
      callback();
      return;
    }
    const callbacks = this.#waiting.get(phase) ?? [];
    callbacks.push(callback);
    this.#waiting.set(phase, callbacks);
  }
}
