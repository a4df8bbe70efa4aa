/** Lets any number of callers wait for a change, each for a time of its own. It knows nothing of what changes. */
export class ChangeSignal {
  readonly #waiting = new Set<() => void>();

  /** How many callers wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Something has changed; all waiting callers go on. */
  give(): void {
    for (const changed of [...this.#waiting]) changed();
  }

  /** @returns false when nothing has changed within this time, in milliseconds. */
  within(timeMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const answer = (hasChanged: boolean) => (): void => {
        this.#waiting.delete(changed);
        clearTimeout(timer);
        resolve(hasChanged);
      };
      const changed = answer(true);
      const timer = setTimeout(answer(false), Math.max(0, timeMs));
      this.#waiting.add(changed);
    });
  }
}
