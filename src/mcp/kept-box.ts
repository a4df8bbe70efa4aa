/** The box of an agent: connected when it is first needed, and again by the next call when that failed. Knows no command. */
import type { Box } from '../../client/src/node.js';

/** Holds one box. */
export class KeptBox {
  readonly #connect: () => Promise<Box>;
  #connecting: Promise<Box> | undefined;
  #isClosed = false;

  constructor(connect: () => Promise<Box>) {
    this.#connect = connect;
  }

  /** The box. @throws {Error} why there is no connection */
  get(): Promise<Box> {
    if (this.#isClosed) return Promise.reject(new Error('this server is ending'));
    this.#connecting ??= this.#connect().catch((error: unknown) => {
      this.#connecting = undefined;
      throw error;
    });
    return this.#connecting;
  }

  /** Closes it. A connection that is being opened is closed as soon as it is there. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const box = await this.#connecting?.catch(() => undefined);
    await box?.close();
  }
}
