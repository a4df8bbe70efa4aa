/** The package in browsers, and in every other runtime with a global `WebSocket`. Knows no Node. */
import { decodeBase64, encodeBase64 } from './base64.js';
import { Box } from './box.js';
import { type Host, openBox } from './open-box.js';
import type { ConnectOptions } from './options.js';
import { hostClock } from './platform.js';
import type { WebSocketLike } from './websocket-transport.js';

export * from './public.js';

const host: Host = {
  Box,
  encodeBase64,
  decodeBase64,
  clock: hostClock,
  random: Math.random,
  traceContext: () => undefined,
  checkOptions() {},
  openSocket: (url, protocols) => new (globalThis as BrowserGlobals).WebSocket(url, protocols),
};

interface BrowserGlobals {
  readonly WebSocket: new (url: string, protocols: string[]) => WebSocketLike;
}

/** Same as `connect` of the package for Node, which is documented there. */
export function connect(url: string, options: ConnectOptions = {}): Promise<Box> {
  return openBox(host, url, options);
}
