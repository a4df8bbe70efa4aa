/** All sessions of the server by connection id. Knows nothing of what they do. */
import type { Session } from './session.js';

/** Holds a session from the opening of its connection to its end. */
export class SessionRegistry {
  readonly #sessions = new Map<string, Session>();

  get size(): number {
    return this.#sessions.size;
  }

  /** All sessions, in the order of their connections. */
  all(): Iterable<Session> {
    return this.#sessions.values();
  }

  get(connectionId: string): Session | undefined {
    return this.#sessions.get(connectionId);
  }

  add(session: Session): void {
    this.#sessions.set(session.id, session);
  }

  remove(session: Session): void {
    this.#sessions.delete(session.id);
  }

  /** Sends a notification to every initialized session that wants it. */
  broadcast(method: string, params: unknown): void {
    for (const session of this.#sessions.values()) session.notify(method, params);
  }
}
