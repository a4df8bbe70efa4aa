/**
 * The connections to one server, one after the other: opens the next one when one breaks. Knows no command; commands ask it for the present
 * session.
 *
 *     away ⇄ online → retired (the server drains: no new work) → closed
 *      └─ offline: given up; the next request tries again
 */
import { newKey } from './affinity.js';
import { backOffMs } from './back-off.js';
import { GOING_AWAY, isRefusedForNow } from './command-fate.js';
import { ConnectError, fieldOf } from './errors.js';
import { sleep } from './platform.js';
import type { ConnectionEnded } from './rpc-connection.js';
import { openSession, type Session, type SessionEvents, type SessionSettings } from './session.js';

/** HTTP answers and close codes that say "not now": full or draining, a proxy without a server behind it. */
const NOT_NOW: readonly unknown[] = [429, 502, 503, 504, ...GOING_AWAY];
/** HTTP answers that a second attempt with the same credential would get again. */
const REFUSED: readonly unknown[] = [401, 403];

/** How a link connects, and connects again. */
export interface LinkSettings extends SessionSettings {
  /** Address of the server at a key. */
  readonly urlOf: (key: string) => string;
  /** Milliseconds of trying after a connection broke; 0 to never try again. */
  readonly reconnectMaxMs: number;
  /** Milliseconds for an orderly end of a connection. */
  readonly closeTimeoutMs: number;
  /** Whether the box was connected before: the server is then tried for as long as after a break, unless that is never. */
  readonly isKnown: boolean;
}

/** What the owner of a link hears. None of them may throw. */
export interface LinkEvents {
  onOnline(link: Link, session: Session): void;
  /** A connection ended that this client did not close. */
  onAway(link: Link, end: ConnectionEnded): void;
  /** The link gave up connecting again. */
  onOffline(link: Link, error: Error): void;
  /** The server drains: it takes no new work. */
  onRetired(link: Link): void;
}

/** One server's connections, one after the other. */
export class Link implements SessionEvents {
  declare readonly affinity: string;
  /** Whether new work has to go elsewhere. */
  isRetired = false;
  /** The open session, if there is one now. */
  declare current: Session | undefined;
  readonly #settings: LinkSettings;
  readonly #events: LinkEvents;
  #opening: Promise<Session> | undefined;
  #isKnown: boolean;
  /** Why there will be no connection any more; undefined while there may be one. */
  #over: ConnectError | undefined;

  constructor(affinity: string, settings: LinkSettings, events: LinkEvents) {
    this.affinity = affinity;
    this.#settings = settings;
    this.#events = events;
    this.#isKnown = settings.isKnown && settings.reconnectMaxMs > 0;
  }

  /** The open session, or the next one. @throws {Error} when none comes, with the last reason */
  async session(): Promise<Session> {
    this.#settings.closing.throwIfAborted();
    if (this.#over !== undefined) throw this.#over;
    if (this.current !== undefined) return this.current;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** Takes no new work from now on; what runs goes on, and comes back when its connection breaks. */
  retire(): void {
    if (this.isRetired) return;
    this.isRetired = true;
    this.#events.onRetired(this);
  }

  /** Ends the connection. */
  async close(): Promise<void> {
    await this.current?.rpc.close(this.#settings.closeTimeoutMs);
  }

  onEnd(session: Session, end: ConnectionEnded): void {
    if (this.current !== session) return;
    this.current = undefined;
    if (this.#settings.reconnectMaxMs === 0)
      this.#over = new ConnectError(`${end.message}; reconnect is off`, { cause: end });
    this.#events.onAway(this, end);
  }

  async #open(): Promise<Session> {
    const { platform, reconnectMaxMs, connectTimeoutMs } = this.#settings;
    const { clock, random } = platform;
    const isFirst = !this.#isKnown;
    const deadline = clock.now() + (isFirst ? connectTimeoutMs : reconnectMaxMs);
    for (let attempt = 0; ; attempt += 1) {
      try {
        const leftMs = Math.max(1, deadline - clock.now());
        const settings = { ...this.#settings, connectTimeoutMs: Math.min(connectTimeoutMs, leftMs) };
        return this.#adopt(await openSession(this.#settings.urlOf(newKey(this.affinity)), settings, this));
      } catch (error) {
        const leftMs = isWorthAnother(error, isFirst) ? Math.max(0, deadline - clock.now()) : 0;
        const delayMs = backOffMs(attempt, random, fieldOf(error, 'retryAfterMs') as ConnectError['retryAfterMs']);
        if (leftMs > 0) await sleep(clock, Math.min(delayMs, leftMs), this.#settings.closing);
        this.#settings.closing.throwIfAborted();
        if (delayMs >= leftMs) {
          if (!isFirst) this.#events.onOffline(this, error as Error);
          throw error;
        }
      }
    }
  }

  #adopt(session: Session): Session {
    const { closing } = this.#settings;
    if (closing.aborted) session.rpc.drop();
    closing.throwIfAborted();
    // It may have ended between its opening and now, before this link was told of its end.
    if (session.rpc.ended !== undefined)
      throw new ConnectError(session.rpc.ended.message, { cause: session.rpc.ended });
    this.current = session;
    this.#isKnown = true;
    this.#events.onOnline(this, session);
    return session;
  }
}

/** Whether a later attempt may succeed where this one failed. */
function isWorthAnother(error: unknown, isFirst: boolean): boolean {
  if (!(error instanceof ConnectError)) return isRefusedForNow(error);
  const { status, cause } = error;
  // Before the first connection it is unknown whether there is such a server. Later there was one, and while it restarts any error is possible.
  return isFirst ? NOT_NOW.includes(status ?? fieldOf(cause, 'code')) : !REFUSED.includes(status);
}
