/** A transport over a WebSocket, of a browser or of the package `ws`. Knows no JSON and no Node. */
import { type ConnectError, cannotConnect, fieldOf } from './errors.js';
import type { Transport, TransportRequest } from './transport.js';

/**
 * A WebSocket as browsers have it; the class of the package `ws` fits, too.
 *
 * @example
 * import { WebSocket } from 'ws';
 * import { connect, type WebSocketLike } from 'execwire-client';
 * const openSocket = (url: string, protocols: string[]): WebSocketLike => new WebSocket(url, protocols, { handshakeTimeout: 2000 });
 * await using other = await connect('ws://127.0.0.1:4500', { openSocket });
 */
export interface WebSocketLike {
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'error', listener: (event: unknown) => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

/** What differs between browsers and Node. */
export interface WebSocketHooks {
  /** Reports why the server refused the upgrade. Browsers do not say. */
  readonly onRefusal?: (socket: WebSocketLike, url: string, refused: (error: ConnectError) => void) => void;
  /** What a code of the operating system means and what to do. Browsers give none. */
  readonly adviceOn?: (code: string | undefined) => string | undefined;
  /** Ends a socket at once. Default: an ordinary close, since browsers have nothing else. */
  readonly drop?: (socket: WebSocketLike) => void;
}

/** Code of an end without a Close frame (RFC 6455, section 7.4.1). */
const ABNORMAL = 1006;

/** Waits until a socket is open. @throws {ConnectError} */
export function openWebSocket(
  socket: WebSocketLike,
  { url, listener, signal }: TransportRequest,
  hooks: WebSocketHooks = {},
): Promise<Transport> {
  const drop = hooks.drop ?? ((dropped: WebSocketLike) => dropped.close());
  return new Promise((resolve, reject) => {
    let isOpen = false;
    let hasEnded = false;
    /** @param error why the socket did not open, if it is not open yet */
    const end = (error?: ConnectError, code = ABNORMAL, reason = ''): void => {
      if (hasEnded) return;
      hasEnded = true;
      if (isOpen) listener.onEnd({ code, reason });
      else reject(error);
    };
    const abort = (): void => {
      if (isOpen) return;
      end(cannotConnect(url, 'given up', { cause: signal.reason }));
      drop(socket);
    };
    hooks.onRefusal?.(socket, url, end);
    socket.addEventListener('open', () => {
      if (hasEnded) return;
      isOpen = true;
      resolve({
        // A socket that is closing drops the text, and its end is told next.
        send: (text) => socket.send(text),
        close: (code, reason) => socket.close(code, reason),
        drop() {
          drop(socket);
          end();
        },
      });
    });
    socket.addEventListener('message', ({ data }) => {
      if (!hasEnded) listener.onText(String(data));
    });
    socket.addEventListener('error', (event) => {
      if (!isOpen) end(connectErrorOf(url, event, hooks.adviceOn));
    });
    socket.addEventListener('close', ({ code, reason }) => {
      end(cannotConnect(url, `closed with ${code}`), code, reason);
    });
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort);
  });
}

function connectErrorOf(url: string, event: unknown, adviceOn: WebSocketHooks['adviceOn']): ConnectError {
  const cause = fieldOf(event, 'error');
  const code = fieldOf(cause, 'code') as string | undefined;
  // A browser says nothing at all, and the most frequent cause beside a wrong address is that the server does not know the page.
  const said = adviceOn?.(code) || fieldOf(event, 'message') || 'no server, or see --allow-origin';
  return cannotConnect(url, String(said), { cause, code });
}

/** Says in one sentence why an HTTP server did not open a WebSocket. */
export function refusalError(
  url: string,
  answer: { status: number; retryAfter?: string | undefined; contentType?: string | undefined },
): ConnectError {
  const { status } = answer;
  const seconds = Number(answer.retryAfter);
  const retryAfterMs = answer.retryAfter !== undefined && seconds >= 0 ? seconds * 1000 : undefined;
  const type = answer.contentType === undefined ? '' : ` (${answer.contentType.split(';')[0]})`;
  let text = `the answer was HTTP ${status}${type} and no WebSocket; is this the address of an execwire server?`;
  if (status === 401) text = 'HTTP 401: the server wants a token, or does not accept this one';
  if (status === 431) text = 'HTTP 431: the request is too long; is the token a token, and not a whole file?';
  if (status === 403) text = 'HTTP 403: this client is not allowed here';
  if (status === 429 || status === 503) text = `HTTP ${status}: the server takes no connection now (full or draining)`;
  if (status === 502 || status === 504) text = `HTTP ${status}: a proxy answered and reached no server behind it`;
  return cannotConnect(url, text, { status, retryAfterMs });
}
