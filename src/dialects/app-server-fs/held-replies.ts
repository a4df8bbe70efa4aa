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
   * @param bytes that it takes, about
   * @throws {RpcError} serverOverloaded
   */
  async holding<T>(session: Session, bytes: number, make: () => Promise<T>): Promise<T> {
    if (!this.#budget.take(bytes)) throw rpcError('serverOverloaded', { bound: 'maxBufferedTotalBytes' });
    try {
      const result = await make();
      this.#releaseWhenTaken(session, () => this.#budget.give(bytes));
      return result;
    } catch (error) {
      this.#budget.give(bytes);
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
