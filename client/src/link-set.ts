/**
 * All links of one box: the one that takes new work, those to draining servers, and those to commands on other servers. Passes on what they report.
 * Knows no command.
 */
import { affinityOf, newAffinity } from './affinity.js';
import { GOING_AWAY } from './command-fate.js';
import { Link, type LinkEvents, type LinkSettings } from './link.js';
import { Listeners } from './listeners.js';
import type { BoxStatus } from './options.js';
import type { Platform } from './platform.js';
import type { CommandHome } from './remote-command.js';
import type { ConnectionEnded } from './rpc-connection.js';
import type { Session } from './session.js';
import type { InitializeResult } from './wire.js';

type Listener = (params: unknown) => unknown;

export interface LinkSetSettings extends Omit<LinkSettings, 'isKnown' | 'closing'> {
  /** Affinity of the first link. */
  readonly affinity: string;
  readonly reportError: (error: unknown) => void;
}

/** The links of a box. */
export class LinkSet implements CommandHome, LinkEvents {
  readonly platform: Platform;
  /** What the server of new work says of itself. */
  server: InitializeResult = {};
  readonly retryMaxMs: number;
  readonly statusListeners: Listeners<BoxStatus>;
  /** The program's answers to requests of the server, by method. */
  readonly answerers = new Map<string, Listener>();
  /** Listeners to notifications, by method. */
  readonly #listeners = new Map<string, Listeners<unknown>>();
  readonly #settings: LinkSetSettings;
  readonly #closing = new AbortController();
  /** Links with an open connection. */
  readonly #online = new Set<Link>();
  /** Links to the servers of commands that other clients started, by affinity. */
  readonly #elsewhere = new Map<string, Link>();
  #current: Link;
  #wasOnline = false;

  constructor(settings: LinkSetSettings) {
    this.#settings = settings;
    this.platform = settings.platform;
    this.statusListeners = new Listeners(settings.reportError);
    this.retryMaxMs = settings.reconnectMaxMs;
    this.#current = this.#newLink(settings.affinity, false);
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  linkForWork(): Link {
    if (this.#current.isRetired) this.#current = this.#newLink(newAffinity(), true);
    return this.#current;
  }

  linkOf(key: string): Link {
    const affinity = affinityOf(key);
    const known = [this.#current, ...this.#online, ...this.#elsewhere.values()];
    const found = known.find((link) => link.affinity === affinity);
    if (found !== undefined) return found;
    const link = this.#newLink(affinity, true);
    this.#elsewhere.set(affinity, link);
    return link;
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.#closing.abort();
    await Promise.all([...this.#online].map((link) => link.close()));
    this.#tell({ state: 'closed' });
  }

  /** The listeners to a notification. */
  listenersTo(method: string): Listeners<unknown> {
    const listeners = this.#listeners.get(method) ?? new Listeners(this.#settings.reportError);
    this.#listeners.set(method, listeners);
    return listeners;
  }

  onNotification(method: string, params: unknown): void {
    this.#listeners.get(method)?.tell(params);
  }

  onRequest(method: string, params: unknown): Promise<unknown> | undefined {
    const answerer = this.answerers.get(method);
    return answerer === undefined ? undefined : Promise.resolve().then(() => answerer(params));
  }

  onOnline(link: Link, session: Session): void {
    this.#online.add(link);
    if (link !== this.#current) return;
    this.server = session.info;
    this.#tell({ state: 'online', isReturn: this.#wasOnline, serverId: session.info.serverId });
    this.#wasOnline = true;
  }

  onAway(link: Link, { code, reason }: ConnectionEnded): void {
    this.#online.delete(link);
    if (this.#elsewhere.get(link.affinity) === link) this.#elsewhere.delete(link.affinity);
    if (link !== this.#current || this.isClosed) return;
    this.#tell({ state: 'away', code, reason });
    // The server said to go to another one: with the old affinity a balancer would lead to the same server.
    if (GOING_AWAY.includes(code)) link.retire();
    this.#comeBack();
  }

  onOffline(link: Link, error: Error): void {
    if (link === this.#current) this.#tell({ state: 'offline', error });
  }

  onRetired(link: Link): void {
    if (link !== this.#current) return;
    this.#tell({ state: 'draining' });
    // Without a connection its end is reported next, and comes back then.
    if (link.current !== undefined) this.#comeBack();
  }

  #newLink(affinity: string, isKnown: boolean): Link {
    return new Link(affinity, { ...this.#settings, isKnown, closing: this.#closing.signal }, this);
  }

  /** Opens the next connection at once, so that the next request need not wait for it. */
  #comeBack(): void {
    if (this.retryMaxMs > 0)
      this.linkForWork()
        .session()
        .catch(() => {});
  }

  #tell(status: BoxStatus): void {
    this.statusListeners.tell(status);
  }
}
