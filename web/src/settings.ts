/** The user's settings of the page's look, kept in this browser. Never a credential. Knows no setting by name. */

/** Settings by name. */
export class Settings {
  readonly #values = new Map<string, string>();

  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  set(name: string, value: string): void {
    this.#values.set(name, value);
  }
}
