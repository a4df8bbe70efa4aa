/** Bounds the memory of replies with whole files, from before a file is read until the client has taken the reply. Knows no method and no file. */
import { CaptureBudget } from '../../commands/output/capture-budget.js';
import { rpcError } from '../../protocol/errors.js';
import type { Session } from '../../session/session.js';

/** All such replies of a service. */
export class HeldReplies {
  readonly #budget: CaptureBudget;
  readonly #sessions = new Map<Session, Set<() => void>>();

  /** @param limitBytes of all of them together */
  constructor(limitBytes: number) {
    this.#budget = new CaptureBudget(limitBytes);
  }

  /**
   * Makes a result within the bound, and counts its bytes until the client has taken it.
   * @param make is handed a function to be told how many bytes the result takes in all, before the memory is taken; it throws serverOverloaded
   * @throws {RpcError} serverOverloaded
   */
  async holding<T>(session: Session, make: (reserve: (bytes: number) => void) => Promise<T>): Promise<T> {
    let held = 0;
    const reserve = (bytes: number): void => {
      if (bytes <= held) return;
      if (!this.#budget.take(bytes - held)) throw rpcError('serverOverloaded', { bound: 'maxBufferedTotalBytes' });
      held = bytes;
    };
    try {
      const result = await make(reserve);
      this.#releaseWhenTaken(session, () => this.#budget.give(held));
      return result;
    } catch (error) {
      this.#budget.give(held);
      throw error;
    }
  }

  /** Gives back what a connection held that has ended. */
  closeSession(session: Session): void {
    for (const release of this.#sessions.get(session) ?? []) release();
    this.#sessions.delete(session);
  }

  #releaseWhenTaken(session: Session, release: () => void): void {
    if (!session.connection.isOpen) {
      release();
      return;
    }
    const held = this.#sessions.get(session) ?? new Set();
    this.#sessions.set(session, held);
    held.add(release);
    const { outbox } = session.connection;
    const onTaken = (): void => {
      if (held.delete(release)) release();
    };
    // AFTER the reply is queued, which happens after its handler has returned.
    setImmediate(() => (outbox.isFull ? outbox.whenWritable(onTaken) : onTaken()));
  }
}
