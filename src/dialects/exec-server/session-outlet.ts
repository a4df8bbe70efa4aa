/**
 * The way out of a session, over connections that come and go. While there is none, a little output is taken and kept for the client that comes back;
 * then the processes wait. Knows no process.
 *
 *     silent ──attach()──► attached ──open()──► open ──leave()──► silent
 */
import type { EncodedMessage } from '../../rpc/transport.js';
import type { Session } from '../../session/session.js';

/**
 * Output of one session that is taken while it has no connection. Half of what is kept of a stream, so that the other half can hold
 * what was under way when the connection broke.
 */
const TAKEN_WHILE_AWAY_BYTES = 512 * 1024;
/** As many events may be taken meanwhile, for programs that write single bytes. */
const TAKEN_WHILE_AWAY_EVENTS = 8192;

export class SessionOutlet {
  #session: Session | undefined;
  #isOpen = false;
  #awayBytes = 0;
  #awayEvents = 0;
  readonly #waiting = new Set<() => void>();

  /** The connection, also before the client has confirmed it. */
  get session(): Session | undefined {
    return this.#session;
  }

  get isFull(): boolean {
    if (this.#isOpen) return this.#session?.connection.outbox.isFull === true;
    return this.#awayBytes >= TAKEN_WHILE_AWAY_BYTES || this.#awayEvents >= TAKEN_WHILE_AWAY_EVENTS;
  }

  attach(session: Session): void {
    this.#session = session;
  }

  /** The client is ready for notifications: everything that waited goes on. */
  open(): void {
    if (this.#session === undefined) return;
    this.#isOpen = true;
    this.#wake();
  }

  /** The connection has ended. */
  leave(): void {
    this.#session?.connection.outbox.forget(this.#wake);
    this.#session = undefined;
    this.#isOpen = false;
    this.#awayBytes = 0;
    this.#awayEvents = 0;
    // What waited for the old connection may be taken now.
    this.#wake();
  }

  /** @param encode makes the message; not called while there is no connection */
  sendOutput(bytes: number, encode: () => EncodedMessage): void {
    if (this.#isOpen) this.#session?.connection.outbox.sendEncoded(encode());
    else {
      this.#awayBytes += bytes;
      this.#awayEvents += 1;
    }
  }

  notify(method: string, params: unknown): void {
    if (this.#isOpen) this.#session?.notify(method, params);
  }

  /** Calls back once when {@link isFull} may have become false. */
  whenWritable(callback: () => void): void {
    this.#waiting.add(callback);
    if (this.#isOpen) this.#session?.connection.outbox.whenWritable(this.#wake);
  }

  forget(callback: () => void): void {
    this.#waiting.delete(callback);
  }

  readonly #wake = (): void => {
    const callbacks = [...this.#waiting];
    this.#waiting.clear();
    for (const callback of callbacks) callback();
  };
}
