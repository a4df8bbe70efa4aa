/** Forwards requests to a server on a Unix socket: upgrades as bytes in both directions, plain requests one by one. Knows no web framework and no path. */
import { request as httpRequest, type IncomingMessage, STATUS_CODES } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { RETRY_AFTER_SECONDS } from '../server/retry-after.js';

export interface ProxiedUpgrade {
  readonly request: IncomingMessage;
  /** Sent in place of the request's own path. */
  readonly path: string;
  /** Path of the server's socket. */
  readonly to: string;
  /** The client. */
  readonly socket: Duplex;
  /** Bytes that followed the request. */
  readonly head: Buffer;
  /** Called when the server could not be reached, so that the client still waits for an answer. */
  readonly onUnreachable: () => void;
}

/** Forwards an upgrade. */
export function proxyUpgrade({ request, path, to, socket, head, onUnreachable }: ProxiedUpgrade): void {
  // The client has left while its request was looked at; no event would tell it any more.
  if (socket.destroyed) return;
  const upstream = connect(to);
  upstream.write(`${requestHead(request, path)}`, 'latin1');
  if (head.length > 0) upstream.write(head);
  if ('setNoDelay' in socket && typeof socket.setNoDelay === 'function') socket.setNoDelay(true);
  let hasAnswered = false;
  upstream.once('data', () => {
    hasAnswered = true;
  });
  upstream.on('error', () => {
    if (hasAnswered) socket.destroy();
    else onUnreachable();
  });
  socket.on('error', () => upstream.destroy());
  socket.on('close', () => upstream.destroy());
  upstream.on('close', () => socket.end());
  socket.pipe(upstream);
  upstream.pipe(socket);
}

/** Answers an upgrade with a status and hangs up. */
export function refuseUpgrade(socket: Duplex, status: number): void {
  socket.on('error', () => {});
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, 'Connection: close', 'Content-Length: 0'];
  for (const [name, value] of Object.entries(headersOf(status))) lines.push(`${name}: ${value}`);
  socket.end(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** Headers that belong to a status. */
export function headersOf(status: number): Record<string, string> {
  return status === 503 ? { 'Retry-After': String(RETRY_AFTER_SECONDS) } : {};
}

/** Asks the server for a path as a plain GET. @returns its answer @throws {Error} when there is none */
export function proxyGet({ headers }: IncomingMessage, path: string, to: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    httpRequest({ socketPath: to, path, headers: { ...headers, connection: 'close' } }, resolve)
      .once('error', reject)
      .end();
  });
}

function requestHead({ method, httpVersion, rawHeaders }: IncomingMessage, path: string): string {
  const lines = [`${method} ${path} HTTP/${httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}
