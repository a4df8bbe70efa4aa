/**
 * Serves requests that ask for another upgrade than to a WebSocket, such as the `Upgrade: h2c` of Java's client and of `curl --http2`. A server may
 * ignore the upgrade and answer the plain request. Node treats every such request as an upgrade and does not read it any further, so this module
 * gives it to the HTTP parser once more, without the headers that ask for the upgrade.
 * @see RFC 9110 section 7.8
 */
import type { IncomingMessage, Server } from 'node:http';
import { Server as PlainServer } from 'node:http';
import type { Duplex } from 'node:stream';

/** Headers that ask for an upgrade; they are removed. */
const UPGRADE_HEADERS = new Set(['upgrade', 'http2-settings']);
/** Options of the header `Connection` that belong to them. */
const UPGRADE_OPTIONS = new Set(['upgrade', 'http2-settings']);

/** Whether a request asks for a WebSocket alone: `ws` accepts no list of protocols. */
export function asksForWebSocket({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** Serves an upgrade request as a plain one. @param head bytes of its body that were already read */
export function serveAsPlain(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.unshift(Buffer.concat([Buffer.from(requestHead(request), 'latin1'), head]));
  // A plain server takes HTTP from this event, a TLS server from the other; the TLS session stays as it is.
  server.emit(server instanceof PlainServer ? 'connection' : 'secureConnection', socket);
}

/** The head of the request as it came, without the upgrade. */
function requestHead({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2);
    if (UPGRADE_HEADERS.has(name.toLowerCase())) continue;
    if (name.toLowerCase() !== 'connection') lines.push(`${name}: ${value}`);
    else lines.push(`${name}: ${tokensOf(value).filter((option) => !UPGRADE_OPTIONS.has(option))}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function tokensOf(list: string): string[] {
  return list.split(',').map((token) => token.trim().toLowerCase());
}
