/** What carries texts between client and server. Knows no JSON. */
import type { AbortSignalLike } from './abort-signal.js';

/** How a transport ended: a WebSocket close code and its reason. */
export interface TransportEnd {
  readonly code: number;
  readonly reason: string;
}

/** Takes what comes out of a transport. `onEnd` is called once, and nothing after it. */
export interface TransportListener {
  onText(text: string): void;
  onEnd(end: TransportEnd): void;
}

/** An open way to a server. */
export interface Transport {
  /** Sends one message. @throws {Error} when the transport no longer takes any */
  send(text: string): void;
  /** Begins an orderly end; `onEnd` follows when the server has answered. */
  close(code: number, reason: string): void;
  /** Ends at once, without waiting for the server; `onEnd` follows at once too. */
  drop(): void;
}

/** What is asked of {@link OpenTransport}. */
export interface TransportRequest {
  readonly url: string;
  /** Subprotocols to offer. */
  readonly protocols: readonly string[];
  /** Hears everything from the first message on. */
  readonly listener: TransportListener;
  /** Gives up when it aborts. */
  readonly signal: AbortSignalLike;
}

/** Opens a transport. @throws {ConnectError} when there is none to be had */
export type OpenTransport = (request: TransportRequest) => Promise<Transport>;
