/**
 * Lets few long operations on files go on at a time, so that a client with a thousand of them at once takes neither the memory nor the time of the others.
 * Knows no operation.
 */
import type { Session } from '../../session/session.js';

/** Listings at a time, of all connections: one of a full folder takes some 30 MB. */
const MAX_LISTINGS = 4;

export class FileTurns {
  /** The last operation of each connection. */
  readonly #last = new WeakMap<Session, Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #free = MAX_LISTINGS;

  /** Lists in its turn: of each connection one after the other, of all connections a few. Nothing is listed for a connection that has ended. */
  listing<T>(session: Session, list: () => Promise<T>): Promise<T | undefined> {
    return this.#inOrder(session, async () => {
      if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      else this.#free -= 1;
      try {
        return session.connection.isOpen ? await list() : undefined;
      } finally {
        const next = this.#waiting.shift();
        if (next === undefined) this.#free += 1;
        else next();
      }
    });
  }

  /** Copies or removes in its turn: of each connection one after the other. What a client asked for before it left is done. */
  changing<T>(session: Session, change: () => Promise<T>): Promise<T> {
    return this.#inOrder(session, change);
  }

  #inOrder<T>(session: Session, work: () => Promise<T>): Promise<T> {
    const done = (this.#last.get(session) ?? Promise.resolve()).then(work);
    const over = (): void => {};
    // Without the result, which may be large.
    this.#last.set(session, done.then(over, over));
    return done;
  }
}
