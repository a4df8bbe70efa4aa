/** Binds the one listener of a service and says where it can be reached. Knows nothing of what is served there. */
import { lstatSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { ListenAddress } from '../config/listen-address.js';

/**
 * Only the server's own user may connect (mode 0600) from the first moment: a chmod behind the bind would leave a gap, and follow a link.
 * A default access list of the folder widens nothing, because the kernel takes the mask off a socket first.
 */
const SOCKET_UMASK = 0o177;
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
  await removeStaleSocket(address.path);
  const umask = process.umask(SOCKET_UMASK);
  try {
    await bind(server, { path: address.path, backlog: BACKLOG }, address.path);
  } finally {
    process.umask(umask);
  }
  return `unix://${address.path}`;
}

/** The lines that tell a parent process where the service is. @see PROTOCOL "Transports" */
export function banner(url: string): string {
  const http = url.replace(/^ws/, 'http');
  return `execwire (WebSocket)\n  listening on: ${url}\n  readyz: ${http}/readyz\n  healthz: ${http}/healthz\n`;
}

function bind(
  server: Server,
  options: { host: string; port: number; backlog: number } | { path: string; backlog: number },
  where: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(new ListenError(`cannot listen on ${where}: ${error.message}`));
    server.once('error', onError);
    server.listen(options, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

/** A socket file that nobody answers on is left from a server that was killed; one that answers belongs to a living server. */
async function removeStaleSocket(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) throw new ListenError(`cannot listen on ${path}: a file that is no socket is in the way`);
  const isLive = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => resolve(true));
    probe.once('error', () => resolve(false));
    probe.once('close', () => resolve(false));
    probe.once('connect', () => probe.destroy());
  });
  if (isLive) throw new ListenError(`cannot listen on ${path}: another server is listening there`);
  unlinkSync(path);
}
