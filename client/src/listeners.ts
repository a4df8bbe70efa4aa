/** Functions of the program that are called with events. Knows no event. */

/** The listeners to one kind of event. */
export class Listeners<Event> {
  readonly #listeners = new Set<(event: Event) => void>();
  readonly #reportError: (error: unknown) => void;

  /** @param reportError takes what a listener throws; must not throw itself */
  constructor(reportError: (error: unknown) => void) {
    this.#reportError = reportError;
  }

  /** @returns takes the listener away */
  add(listener: (event: Event) => void): () => void {
    // The same function may be added twice, and each call takes away its own.
    const added = (event: Event): void => listener(event);
    this.#listeners.add(added);
    return () => this.#listeners.delete(added);
  }

  tell(event: Event): void {
    for (const listener of [...this.#listeners]) void this.#call(listener, event);
  }

  /** Calls the listener at once, and reports what it throws now or rejects with later. */
  async #call(listener: (event: Event) => unknown, event: Event): Promise<void> {
    try {
      await listener(event);
    } catch (error) {
      this.#reportError(error);
    }
  }
}
