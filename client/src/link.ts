/**
 * The connections to one server, one after the other: opens the next one when one breaks. Knows no command; commands ask it for the present
 * session.
 *
 *     away ⇄ online → retired (the server drains: no new work) → closed
 *      └─ offline: given up; the next request tries again
 */
import type { AbortSignalLike } from './abort-signal.js';
import { newKey } from './affinity.js';
import { backOffMs } from './back-off.js';
import { isRefusedForNow } from './command-fate.js';
import { ConnectError } from './errors.js';
import { sleep } from './platform.js';
import type { ConnectionEnded } from './rpc-connection.js';
import { openSession, type Session, type SessionEvents, type SessionSettings } from './session.js';

/** HTTP answers that say "not now": full or draining, a proxy without a server behind it. */
const NOT_NOW = [429, 502, 503, 504];
/** HTTP answers that a second attempt with the same credential would get again. */
const REFUSED = [401, 403];

/** How a link connects, and connects again. */
export interface LinkSettings extends SessionSettings {
  /** Address of the server at a key. */
  readonly urlOf: (key: string) => string;
  /** Milliseconds of trying after a connection broke; 0 to never try again. */
  readonly reconnectMaxMs: number;
  /** Milliseconds for an orderly end of a connection. */
  readonly closeTimeoutMs: number;
  /** Whether the box was connected before: the server is then tried for as long as after a break. */
  readonly isKnown: boolean;
  /** Aborts when the box is closed. */
  readonly closing: AbortSignalLike;
}

/** What the owner of a link hears. None of them may throw. */
export interface LinkEvents extends Pick<SessionEvents, 'onNotification' | 'onRequest'> {
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
  readonly affinity: string;
  readonly #settings: LinkSettings;
  readonly #events: LinkEvents;
  #session: Session | undefined;
  #opening: Promise<Session> | undefined;
  #retired = false;
  #isKnown: boolean;

  constructor(affinity: string, settings: LinkSettings, events: LinkEvents) {
    this.affinity = affinity;
    this.#settings = settings;
    this.#events = events;
    this.#isKnown = settings.isKnown;
  }

  /** Whether new work has to go elsewhere. */
  get isRetired(): boolean {
    return this.#retired;
  }

  /** The open session, if there is one now. */
  get current(): Session | undefined {
    return this.#session;
  }

  /** The open session, or the next one. @throws {Error} when none comes, with the last reason */
  session(): Promise<Session> {
    if (this.#settings.closing.aborted) return Promise.reject(new Error('The box was closed'));
    if (this.#session !== undefined) return Promise.resolve(this.#session);
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** Takes no new work from now on; what runs goes on, and comes back when its connection breaks. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#events.onRetired(this);
  }

  /** Ends the connection. */
  async close(): Promise<void> {
    await this.#session?.rpc.close(this.#settings.closeTimeoutMs);
  }

  onNotification(method: string, params: unknown): void {
    this.#events.onNotification(method, params);
  }

  onRequest(method: string, params: unknown): Promise<unknown> | undefined {
    return this.#events.onRequest(method, params);
  }

  onEnd(session: Session, end: ConnectionEnded): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    this.#events.onAway(this, end);
  }

  async #open(): Promise<Session> {
    const { platform, reconnectMaxMs, connectTimeoutMs } = this.#settings;
    const { clock, random } = platform;
    const isFirst = !this.#isKnown;
    const deadline = clock.now() + (isFirst ? connectTimeoutMs : reconnectMaxMs);
    for (let attempt = 0; ; attempt += 1) {
      try {
        return this.#adopt(await this.#openOnce(Math.min(connectTimeoutMs, Math.max(1, deadline - clock.now()))));
      } catch (error) {
        const leftMs = isWorthAnother(error, isFirst) ? Math.max(0, deadline - clock.now()) : 0;
        const asked = error instanceof ConnectError ? error.retryAfterMs : undefined;
        const delayMs = backOffMs(attempt, random, asked);
        if (leftMs > 0) await sleep(clock, Math.min(delayMs, leftMs), this.#settings.closing);
        if (this.#settings.closing.aborted) throw new Error('The box was closed', { cause: error });
        if (delayMs >= leftMs) {
          if (!isFirst) this.#events.onOffline(this, error as Error);
          throw error;
        }
      }
    }
  }

  #openOnce(timeoutMs: number): Promise<Session> {
    const settings = { ...this.#settings, connectTimeoutMs: timeoutMs };
    return openSession(this.#settings.urlOf(newKey(this.affinity)), settings, this, this.#settings.closing);
  }

  #adopt(session: Session): Session {
    if (this.#settings.closing.aborted) {
      session.rpc.drop();
      throw new Error('The box was closed');
    }
    // It may have ended between its opening and now, before this link was told of its end.
    if (session.rpc.ended !== undefined)
      throw new ConnectError(session.rpc.ended.message, { cause: session.rpc.ended });
    this.#session = session;
    this.#isKnown = true;
    this.#events.onOnline(this, session);
    return session;
  }
}

/** Whether a later attempt may succeed where this one failed. */
function isWorthAnother(error: unknown, isFirst: boolean): boolean {
  if (!(error instanceof ConnectError)) return isRefusedForNow(error);
  const { status } = error;
  // Before the first connection it is unknown whether there is such a server. Later there was one, and while it restarts any error is possible.
  return isFirst ? status !== undefined && NOT_NOW.includes(status) : status === undefined || !REFUSED.includes(status);
}
