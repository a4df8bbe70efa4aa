/** Reads `--listen URL`. Knows nothing of sockets. @see PROTOCOL "Transports" */
import { isIPv4, isIPv6 } from 'node:net';
import { isAbsolute } from 'node:path';

/** Where the server listens. */
export type ListenAddress =
  | { readonly kind: 'stdio' }
  /** `host` without brackets; port 0 lets the kernel choose. */
  | { readonly kind: 'ws'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** An address with a listener. */
export type SocketAddress = Exclude<ListenAddress, { kind: 'stdio' }>;

/** Longest path a Unix socket can have: `sun_path` holds 108 bytes with the final zero. */
export const MAX_SOCKET_PATH_BYTES = 107;
const MAX_PORT = 65_535;

/** An address that cannot be used; the message names the URL and what is expected. */
export class ListenUrlError extends Error {}

/** @throws {ListenUrlError} */
export function parseListenUrl(url: string): ListenAddress {
  if (url === 'stdio://' || url === 'stdio:') return { kind: 'stdio' };
  if (url.startsWith('unix://')) return parseUnix(url);
  if (url.startsWith('ws://')) return parseWs(url);
  throw new ListenUrlError(
    `unsupported --listen URL \`${url}\`; expected \`stdio://\`, \`ws://IP:PORT\` or \`unix:///path\``,
  );
}

/** Reads `--metrics-listen URL`; that listener speaks plain HTTP. @throws {ListenUrlError} */
export function parseMetricsUrl(url: string): SocketAddress {
  try {
    const address = parseListenUrl(url.replace(/^http:/, 'ws:'));
    if (address.kind !== 'stdio') return address;
  } catch (error) {
    if (!(error instanceof ListenUrlError)) throw error;
  }
  throw new ListenUrlError(`invalid --metrics-listen URL \`${url}\`; expected \`http://IP:PORT\` or \`unix:///path\``);
}

function parseUnix(url: string): ListenAddress {
  const path = url.slice('unix://'.length);
  if (!isAbsolute(path) || path.includes('\0')) {
    throw new ListenUrlError(`invalid unix --listen URL \`${url}\`; expected \`unix:///absolute/path\``);
  }
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    throw new ListenUrlError(
      `invalid unix --listen URL \`${url}\`; expected a path of at most ${MAX_SOCKET_PATH_BYTES} bytes`,
    );
  }
  return { kind: 'unix', path };
}

function parseWs(url: string): ListenAddress {
  const match = /^ws:\/\/(?:\[([^\]]+)\]|([^:/[\]]+)):(\d{1,5})\/?$/.exec(url);
  const [, v6 = '', v4 = '', digits = ''] = match ?? [];
  const port = Number(digits);
  if (match === null || port > MAX_PORT || !(isIPv4(v4) || isIPv6(v6))) {
    throw new ListenUrlError(`invalid websocket --listen URL \`${url}\`; expected \`ws://IP:PORT\``);
  }
  return { kind: 'ws', host: v4 === '' ? v6 : v4, port };
}
