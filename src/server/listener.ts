/** Binds the one listener of a service and tells where it can be reached. Knows nothing of what is served there. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ListenAddress } from '../config/listen-address.js';
import { type SocketFile, takeSocketFile } from './socket-file.js';

/** Connections the kernel keeps until they are accepted; a rolling restart brings them all at once. */
const BACKLOG = 4096;

/** An address that cannot be bound; the message says which and why. */
export class ListenError extends Error {}

/**
 * Listens, and resolves to the URL with the real port once connections are accepted.
 * @throws {ListenError}
 */
export async function listen(
  server: Server,
  address: Exclude<ListenAddress, { kind: 'stdio' }>,
  secure: boolean,
): Promise<string> {
  if (address.kind === 'ws') {
    await bind(server, { host: address.host, port: address.port, backlog: BACKLOG }, `${address.host}:${address.port}`);
    const { address: ip, port, family } = server.address() as AddressInfo;
    return `${secure ? 'wss' : 'ws'}://${family === 'IPv6' ? `[${ip}]` : ip}:${port}`;
  }
  await listenOnFile(server, address.path);
  return `unix://${address.path}`;
}

async function listenOnFile(server: Server, path: string): Promise<void> {
  let file: SocketFile;
  try {
    file = await takeSocketFile(path, (bound) => bind(server, { path: bound, backlog: BACKLOG }, path));
  } catch (error) {
    if (server.listening) server.close();
    if (error instanceof ListenError) throw error;
    throw new ListenError(`cannot listen on ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const remove = (): void => file.remove();
  server.once('close', remove);
  // A second signal ends the process without closing anything.
  process.once('exit', remove);
}

/** The lines that tell a parent process where the service is. @see PROTOCOL "Transports" */
export function banner(url: string): string {
  const path = url.startsWith('unix://') ? url.slice('unix://'.length) : undefined;
  // No URL of HTTP can name a socket file.
  const http =
    path === undefined ? url.replace(/^ws/, 'http') : `curl --unix-socket ${quotedPath(path)} http://localhost`;
  return `execwire (WebSocket)\n  listening on: ${url}\n  readyz: ${http}/readyz\n  healthz: ${http}/healthz\n`;
}

function quotedPath(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

function bind(
  server: Server,
  options: { host: string; port: number; backlog: number } | { path: string; backlog: number },
  where: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(new ListenError(`cannot listen on ${where}: ${sayingWhere(error)}`));
    const sayingWhere = ({ message }: Error): string =>
      'path' in options ? message.replace(options.path, where) : message;
    server.once('error', onError);
    server.listen(options, () => {
      server.off('error', onError);
      resolve();
    });
  });
}
