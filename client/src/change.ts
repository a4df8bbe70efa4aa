/** Waiting for a change. Knows nothing of what changes. */

/** A change that can happen many times. */
export class Change {
  #next: Promise<void> | undefined;
  #resolve = (): void => {};

  /** Resolves when {@link Change.happen} is called next. */
  wait(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#next;
  }

  happen(): void {
    this.#next = undefined;
    this.#resolve();
  }
}
