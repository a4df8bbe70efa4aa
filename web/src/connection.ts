/** The page's connection to its server: opens and closes it, tells how it is, and finds out whether it is still alive. Knows no terminal. */
import { type Box, type BoxStatus, connect } from '../../client/src/browser.js';
import { PageSocket } from './page-socket.js';

/** Milliseconds of trying to come back before the user has to ask: as long as the server keeps what the page started. */
const RECONNECT_MAX_MS = 3_600_000;
/** Milliseconds between signs of life. Four without one end the connection. */
const HEARTBEAT_MS = 5_000;
/** Milliseconds in which a server that is there answers. */
const CHECK_MS = 4_000;

/** Where the page's server is. */
export interface ServerAddress {
  /** For files and probes; ends with `/`. */
  readonly http: URL;
  /** For connections. */
  readonly webSocket: URL;
}

/** The server that sent a page: whatever stands before `/terminal` in its address leads to it. */
export function serverOf(page: string): ServerAddress {
  const http = new URL('.', page);
  const webSocket = new URL(http);
  webSocket.protocol = http.protocol === 'https:' ? 'wss:' : 'ws:';
  return { http, webSocket };
}

/** Nobody waits for this connection any more. */
export class Superseded extends Error {}

/** One connection after the other. */
export class PageConnection {
  readonly #address: ServerAddress;
  readonly #onStatus: (status: BoxStatus) => void;
  readonly #sockets = new Set<PageSocket>();
  #box: Box | undefined;
  /** Counts the wishes to open and to close: a connection that opens after the next one is closed again. */
  #turn = 0;

  /** @param onStatus hears of the present connection alone */
  constructor(address: ServerAddress, onStatus: (status: BoxStatus) => void) {
    this.#address = address;
    this.#onStatus = onStatus;
  }

  get box(): Box | undefined {
    return this.#box;
  }

  /**
   * Opens a connection in place of the present one.
   * @param key of a command: leads to its server, where there are several
   * @throws {ConnectError | RpcError} and {Superseded} where another one was opened, or this one closed, meanwhile
   */
  async open(token: string | undefined, key: string | undefined): Promise<Box> {
    this.close();
    const turn = this.#turn;
    const opened: Box = await connect(this.#address.webSocket.href, {
      ...(token === undefined ? {} : { token }),
      ...(key === undefined ? {} : { key }),
      name: 'execwire-terminal',
      heartbeat: HEARTBEAT_MS,
      reconnect: { maxMs: RECONNECT_MAX_MS },
      openSocket: (url, protocols) => {
        const socket = new PageSocket(url, protocols, (ended) => this.#sockets.delete(ended));
        this.#sockets.add(socket);
        return socket;
      },
    });
    if (turn !== this.#turn) {
      opened.close().catch(() => {});
      throw new Superseded();
    }
    opened.onStatus((status) => {
      if (this.#box === opened) this.#onStatus(status);
    });
    this.#box = opened;
    return opened;
  }

  /** Ends it. What runs on the server goes on. The socket closes before this returns, so that a browser may keep the page for its back button. */
  close(): void {
    const box = this.#box;
    this.#box = undefined;
    this.#turn += 1;
    box?.close().catch(() => {});
    for (const socket of this.#sockets) socket.close();
  }

  /** Looks whether the server answers, and comes back at once if it does not. For times at which a connection is often dead without a word. */
  async check(): Promise<void> {
    const box = this.#box;
    if (box === undefined) return;
    const sockets = [...this.#sockets];
    const answered = await Promise.race([
      box.list({ scope: 'connection' }).then(
        () => true,
        () => true,
      ),
      new Promise<false>((resolve) => setTimeout(resolve, CHECK_MS, false)),
    ]);
    if (!answered && this.#box === box) for (const socket of sockets) socket.drop();
  }

  /** Whether a server is there that only does not let this page in. */
  async isThere(): Promise<boolean> {
    try {
      // It answers without a credential, also while it is full or draining.
      return (
        await fetch(new URL('healthz', this.#address.http), {
          cache: 'no-store',
          signal: AbortSignal.timeout(CHECK_MS),
        })
      ).ok;
    } catch {
      return false;
    }
  }
}
