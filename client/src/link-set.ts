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

export interface LinkSetSettings extends Omit<LinkSettings, 'isKnown' | 'closing' | 'program'> {
  /** Affinity of the first link. */
  readonly affinity: string;
}

/** The links of a box. */
export class LinkSet implements CommandHome, LinkEvents {
  declare readonly platform: Platform;
  /** What the server of new work says of itself. */
  server: InitializeResult = {};
  declare readonly retryMaxMs: number;
  declare readonly statusListeners: Listeners<BoxStatus>;
  /** The program's answers to requests of the server, by method. */
  readonly answerers = new Map<string, Listener>();
  /** Listeners to notifications, by method. */
  readonly #listeners = new Map<string, Listeners<unknown>>();
  readonly #settings: LinkSetSettings;
  readonly #closing = new AbortController();
  /** Links with an open connection, and those to the servers of commands that other clients started. */
  readonly #links = new Set<Link>();
  #current: Link;
  #wasOnline = false;

  constructor(settings: LinkSetSettings) {
    this.#settings = settings;
    this.platform = settings.platform;
    this.statusListeners = new Listeners(settings.platform.reportError);
    this.retryMaxMs = settings.reconnectMaxMs;
    this.#current = this.#newLink(settings.affinity, false);
  }

  linkForWork(): Link {
    if (this.#current.isRetired && this.retryMaxMs > 0) this.#current = this.#newLink(newAffinity(), true);
    return this.#current;
  }

  linkOf(key: string): Link {
    const affinity = affinityOf(key);
    const isRight = (link: Link): boolean => link.affinity === affinity;
    const link = [this.#current, ...this.#links].find(isRight) ?? this.#newLink(affinity, true);
    this.#links.add(link);
    return link;
  }

  /** Takes no more work, and ends all connections. @param lastWork is waited for before, for as long as for the end of a connection; must not reject */
  async close(lastWork: Promise<unknown>): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new Error('The box was closed'));
    await new Promise<void>((resolve) => {
      const cancel = this.platform.clock.after(this.#settings.closeTimeoutMs, resolve);
      void lastWork.then(cancel).then(resolve);
    });
    await Promise.all([...this.#links].map((link) => link.close()));
    this.#tell({ state: 'closed' });
  }

  /** The listeners to a notification. */
  listenersTo(method: string): Listeners<unknown> {
    const listeners = this.#listeners.get(method) ?? new Listeners(this.platform.reportError);
    this.#listeners.set(method, listeners);
    return listeners;
  }

  onNotification(method: string, params: unknown): void {
    this.#listeners.get(method)?.tell(params);
  }

  onRequest(method: string, params: unknown): Promise<unknown> | undefined {
    const answerer = this.answerers.get(method);
    return answerer && (async () => answerer(params))();
  }

  onOnline(link: Link, session: Session): void {
    this.#links.add(link);
    if (link !== this.#current) return;
    this.server = session.info;
    this.#tell({ state: 'online', isReturn: this.#wasOnline, serverId: session.info.serverId });
    this.#wasOnline = true;
  }

  onAway(link: Link, { code, reason }: ConnectionEnded): void {
    this.#links.delete(link);
    if (link !== this.#current || this.#closing.signal.aborted) return;
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
    return new Link(affinity, { ...this.#settings, isKnown, closing: this.#closing.signal, program: this }, this);
  }

  /** Opens the next connection at once, so that the next request need not wait for it; none where reconnect is off. */
  #comeBack(): void {
    this.linkForWork()
      .session()
      .catch(() => {});
  }

  #tell(status: BoxStatus): void {
    this.statusListeners.tell(status);
  }
}
