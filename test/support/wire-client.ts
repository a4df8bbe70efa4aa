/**
 * The one wire client of tests, stress, fuzz and deployment, over a WebSocket. It sees every message and frame of its connection and can stop
 * reading. Knows `initialize` and `command/exec`, and no other method.
 */
import { once } from 'node:events';
import { type ClientOptions, WebSocket } from 'ws';
import { WirePeer } from './wire-peer.js';

export type { WireMessage } from './wire-peer.js';
export { WireEndedError } from './wire-peer.js';

/** How to connect. */
export interface WireOptions {
  /** Default `/`. */
  readonly path?: string;
  /** Sent as `Authorization: Bearer`. Default: none. */
  readonly token?: string | undefined;
  /** Default: false; the server refuses compression unless it is told otherwise. */
  readonly compression?: boolean;
  /** Further options of `ws`, such as `headers` and `ca`. */
  readonly socket?: ClientOptions;
}

/** One connection. */
export class WireClient extends WirePeer {
  readonly ws: WebSocket;

  /** Use {@link WireClient.open}. */
  constructor(ws: WebSocket) {
    super();
    this.ws = ws;
    ws.on('error', () => {});
    ws.on('message', (data) => this.receive(String(data)));
    ws.on('close', (code, reason) => this.finish({ code, reason: String(reason) }));
  }

  /**
   * Opens a connection and initializes nothing.
   * @param url `ws://…`, `wss://…` or, for a Unix socket, `unix://PATH`
   * @throws {Error} when the upgrade is refused, with the status in its message
   */
  static async open(url: string, options: WireOptions = {}): Promise<WireClient> {
    const { path = '/', token, compression = false, socket = {} } = options;
    const headers = { ...socket.headers, ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) };
    const address = url.startsWith('unix://') ? `ws+unix:${url.slice('unix://'.length)}:${path}` : `${url}${path}`;
    const ws = new WebSocket(address, { maxPayload: 0, perMessageDeflate: compression, ...socket, headers });
    // BEFORE anything is awaited, or the first messages are lost.
    const client = new WireClient(ws);
    await once(ws, 'open');
    return client;
  }

  /** Code of the Close; 1006 when there was none. */
  get closed(): Promise<number> {
    return this.ended.then(({ code }) => code);
  }

  /** Ends the connection as the protocol says, and waits for the end. */
  async close(code = 1000): Promise<void> {
    // A paused socket would never read the answer.
    this.ws.resume();
    this.ws.close(code);
    await this.ended;
  }

  /** Cuts the connection. */
  terminate(): void {
    this.ws.terminate();
  }

  protected override sendText(text: string): void {
    this.ws.send(text);
  }
}
