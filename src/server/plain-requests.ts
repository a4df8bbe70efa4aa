/**
 * Requests that ask for an upgrade which is no WebSocket, such as the `Upgrade: h2c` of Java's client and of `curl --http2`: a server may
 * ignore the wish, and then answers as if it had not been there. Node takes every such request for an upgrade and reads it no further,
 * so it is given to the HTTP parser once more, without the wish. @see RFC 9110 section 7.8
 */
import type { IncomingMessage, Server } from 'node:http';
import { Server as PlainServer } from 'node:http';
import type { Duplex } from 'node:stream';

/** Headers that belong to the wish and go with it. */
const WISH = new Set(['upgrade', 'http2-settings']);
/** Names in `Connection` that belong to the wish. */
const WISH_OPTIONS = new Set(['upgrade', 'http2-settings']);

/** Whether a request asks for a WebSocket and nothing else: `ws` takes no list. */
export function asksForWebSocket({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** Serves a request that came as an upgrade as a plain one. @param head what of its body was read already */
export function serveAsPlain(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.unshift(Buffer.concat([Buffer.from(requestHead(request), 'latin1'), head]));
  // What both kinds of servers read HTTP from; TLS stays as it is.
  server.emit(server instanceof PlainServer ? 'connection' : 'secureConnection', socket);
}

/** The request as it came, without the wish. */
function requestHead({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2);
    if (WISH.has(name.toLowerCase())) continue;
    if (name.toLowerCase() !== 'connection') lines.push(`${name}: ${value}`);
    else lines.push(`${name}: ${tokensOf(value).filter((option) => !WISH_OPTIONS.has(option))}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function tokensOf(list: string): string[] {
  return list.split(',').map((token) => token.trim().toLowerCase());
}
