/** Connects: turns options and a platform into a box with its first connection. Knows no platform by name. */
import { affinityOf, newAffinity, urlWithKey } from './affinity.js';
import type { Box } from './box.js';
import * as defaults from './defaults.js';
import { LinkSet } from './link-set.js';
import type { ConnectOptions, ReconnectOptions } from './options.js';
import type { Platform } from './platform.js';
import type { TraceSource } from './trace.js';
import type { OpenTransport } from './transport.js';
import { VERSION } from './version.js';
import { openWebSocket, type WebSocketHooks, type WebSocketLike } from './websocket-transport.js';

/** What differs between browsers and Node. */
export interface Host extends Omit<Platform, 'openTransport' | 'reportError'>, WebSocketHooks {
  readonly openSocket: (url: string, protocols: string[]) => WebSocketLike;
  /** The class of boxes. */
  readonly Box: typeof Box;
  /** The trace context of a request, unless the program gives its own. */
  readonly traceContext: TraceSource;
}

/** @throws {ConnectError | RpcError} */
export async function openBox(host: Host, url: string, options: ConnectOptions): Promise<Box> {
  const { onError = console.error } = options;
  const openSocket = options.openSocket ?? host.openSocket;
  const openTransport: OpenTransport =
    options.openTransport ??
    (async (request) => openWebSocket(openSocket(request.url, [...request.protocols]), request, host));
  const heartbeatMs = options.heartbeat ?? defaults.HEARTBEAT_MS;
  const links = new LinkSet({
    platform: {
      ...host,
      openTransport,
      async reportError(error) {
        try {
          await onError(error);
        } catch (thrown) {
          console.error(thrown);
        }
      },
    },
    initialize: {
      clientInfo: { name: options.name ?? 'execwire-client', version: options.version ?? VERSION },
      capabilities: { experimentalApi: true, heartbeatMs: heartbeatMs || undefined },
    },
    token: options.token,
    connectTimeoutMs: options.connectTimeout ?? defaults.CONNECT_TIMEOUT_MS,
    requestTimeoutMs: options.requestTimeout ?? defaults.REQUEST_TIMEOUT_MS,
    closeTimeoutMs: options.closeTimeout ?? defaults.CLOSE_TIMEOUT_MS,
    reconnectMaxMs: reconnectMaxMs(options),
    traceContext: options.traceContext ?? host.traceContext,
    urlOf: (key) => urlWithKey(url, key),
    affinity: options.key === undefined ? newAffinity() : affinityOf(options.key),
  });
  if (options.onStatus !== undefined) links.statusListeners.add(options.onStatus);
  for (const [method, listener] of Object.entries(options.notifications ?? {})) {
    links.listenersTo(method).add(listener as (params: unknown) => void);
  }
  await links.linkForWork().session();
  return new host.Box(links);
}

function reconnectMaxMs({ reconnect }: ConnectOptions): number {
  const { maxMs = defaults.RECONNECT_MAX_MS }: ReconnectOptions = Object(reconnect);
  return reconnect === false ? 0 : maxMs;
}
