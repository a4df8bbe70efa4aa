/** What carries texts between client and server. Knows no JSON. */
import type { AbortSignalLike } from './abort-signal.js';

/**
 * How a transport ended: a WebSocket close code and its reason.
 *
 * @example
 * import type { TransportEnd } from 'execwire-client';
 * const end: TransportEnd = { code: 1000, reason: 'done' };
 * console.log(`${end.code} ${end.reason}`); // 1000 done
 */
export interface TransportEnd {
  readonly code: number;
  readonly reason: string;
}

/**
 * Takes what comes out of a transport. `onEnd` is called once, and nothing after it.
 *
 * @example
 * import type { TransportListener } from 'execwire-client';
 * const listener: TransportListener = {
 *   onText: (text) => console.log('came:', text),
 *   onEnd: ({ code, reason }) => console.log('ended:', code, reason), // ended: 1000 done
 * };
 * listener.onEnd({ code: 1000, reason: 'done' });
 */
export interface TransportListener {
  onText(text: string): void;
  onEnd(end: TransportEnd): void;
}

/**
 * An open way to a server.
 *
 * @example
 * import type { Transport, TransportRequest } from 'execwire-client';
 * import { WebSocket } from 'ws';
 * function open({ url, protocols, listener, signal }: TransportRequest): Promise<Transport> {
 *   const socket = new WebSocket(url, [...protocols]);
 *   signal.addEventListener('abort', () => socket.terminate());
 *   socket.on('message', (data) => listener.onText(String(data)));
 *   socket.on('close', (code, reason) => listener.onEnd({ code, reason: String(reason) }));
 *   const drop = (): void => socket.terminate();
 *   const transport: Transport = { send: (text) => socket.send(text), close: (code, why) => socket.close(code, why), drop };
 *   return new Promise((resolve, reject) => socket.once('error', reject).once('open', () => resolve(transport)));
 * }
 * await using other = await connect('ws://127.0.0.1:4500', { openTransport: open });
 * console.log((await other.exec(['echo', 'hello'])).stdout); // hello
 */
export interface Transport {
  /** Sends one message. @throws {Error} when the transport no longer takes any */
  send(text: string): void;
  /** Begins an orderly end; `onEnd` follows when the server has answered. */
  close(code: number, reason: string): void;
  /** Ends at once, without waiting for the server; `onEnd` follows at once too. */
  drop(): void;
}

/**
 * What is asked of `openTransport`.
 *
 * @example
 * import type { TransportRequest } from 'execwire-client';
 * const openTransport = async ({ url }: TransportRequest): Promise<never> => {
 *   throw new Error(`no way to ${new URL(url).host}`);
 * };
 * await connect('ws://example.org', { openTransport }).catch((error: Error) => console.log(error.message)); // Cannot connect to ws://example.org: no way to example.org
 */
export interface TransportRequest {
  readonly url: string;
  /** Subprotocols to offer. */
  readonly protocols: readonly string[];
  /** Takes every message, from the first one on. */
  readonly listener: TransportListener;
  /** The opening is given up when it aborts. */
  readonly signal: AbortSignalLike;
}

/** Opens a transport. @throws {ConnectError} when it cannot */
export type OpenTransport = (request: TransportRequest) => Promise<Transport>;
