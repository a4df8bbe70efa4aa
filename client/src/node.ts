/** The package in Node. The only file that imports another package; `signal-listeners` imports a module of Node. */
import { WebSocket } from 'ws';
import type { Box } from './box.js';
import { checkCall } from './call-check.js';
import { CheckedBox } from './checked-box.js';
import { type Host, openBox } from './open-box.js';
import { checkOptions } from './option-check.js';
import type { ConnectOptions } from './options.js';
import { hostClock } from './platform.js';
import { activeTrace } from './trace.js';
import { refusalError, type WebSocketLike } from './websocket-transport.js';

export * from './public.js';

/** What a socket of `ws` has and a browser's has not: the answer to a refused upgrade, and an end at once. */
interface WsSocket extends WebSocketLike {
  on?(
    event: 'unexpected-response',
    listener: (
      request: { destroy(): void },
      response: { statusCode?: number; headers: Record<string, string | string[] | undefined> },
    ) => void,
  ): void;
  terminate?(): void;
}

/** What to do about the most frequent error codes of operating systems. */
const ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'no server listens there; is it running? One that is stopping or starting takes no connection either',
  ENOENT: 'there is no such socket file; is the server running?',
  ENOTFOUND: 'the name of the host is unknown',
  EAI_AGAIN: 'the name of the host cannot be resolved now',
  ETIMEDOUT: 'the host does not answer',
  EACCES: 'this user may not use the socket',
  ECONNRESET: 'the connection was cut; is this the address of an execwire server?',
  EPROTO: 'the answer is no TLS; is it ws:// and not wss://?',
  HPE_INVALID_CONSTANT: 'the answer is no HTTP; is this the address of an execwire server?',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is not trusted; NODE_EXTRA_CA_CERTS can name its authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate is not trusted; NODE_EXTRA_CA_CERTS can name its authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate is not trusted; NODE_EXTRA_CA_CERTS can name its authority',
};

const host: Host = {
  encodeBase64: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
  decodeBase64: (text) => Buffer.from(text, 'base64'),
  clock: hostClock,
  random: Math.random,
  Box: CheckedBox,
  checkOptions: checkCall,
  traceContext: activeTrace,
  openSocket: (url, protocols) => new WebSocket(socketUrl(url), protocols),
  adviceOn: (code = '') => (ADVICE[code] === undefined ? undefined : `${code}: ${ADVICE[code]}`),
  drop(socket: WsSocket) {
    if (socket.terminate === undefined) socket.close();
    else socket.terminate();
  },
  onRefusal(socket: WsSocket, url, refused) {
    socket.on?.('unexpected-response', (request, { statusCode = 0, headers }) => {
      const text = (name: string): string | undefined => {
        const value = headers[name];
        return typeof value === 'string' ? value : undefined;
      };
      refused(
        refusalError(url, { status: statusCode, retryAfter: text('retry-after'), contentType: text('content-type') }),
      );
      request.destroy();
    });
  },
};

/** `unix:///path` as `ws` writes it. */
function socketUrl(url: string): string {
  const [, path, query = ''] = /^unix:\/\/([^?]*)(\?.*)?$/.exec(url) ?? [];
  return path === undefined ? url : `ws+unix:${path}:/${query}`;
}

/** @throws {TypeError} for what is no URL, and for the path of a socket that `ws` does not find */
function checkUrl(url: unknown): void {
  if (url instanceof URL) throw new TypeError('connect takes the URL as a text: `url.href`');
  if (typeof url !== 'string' || url === '') {
    throw new TypeError(
      `connect needs the URL of a server, such as ws://127.0.0.1:4500, and got ${JSON.stringify(url)}`,
    );
  }
  const [, path = ''] = /^unix:\/\/([^?]*)/.exec(url) ?? [];
  const [odd] = /[^\w\-./~!$&'()*+,;=@%]/.exec(path) ?? [];
  if (odd !== undefined) {
    throw new TypeError(`connect: the path of a socket cannot have ${JSON.stringify(odd)} in it; a link can name it`);
  }
}

/**
 * Connects to a server.
 * @param url such as `ws://127.0.0.1:4500` or `wss://host/path`; in Node also `unix:///path`
 * @throws {TypeError} when the URL or an option is wrong
 * @throws {ConnectError} when there is no connection within `connectTimeout`, or it is refused
 * @throws {RpcError} when the server refuses the first request
 *
 * @example
 * import { connect } from 'execwire-client';
 * const other = await connect('ws://127.0.0.1:4500', { name: 'my-agent' });
 * const { stdout } = await other.exec(['uname', '-s']);
 * console.log(stdout); // Linux
 * await other.close();
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Box> {
  checkUrl(url);
  checkOptions('connect', options);
  return openBox(host, url, options);
}
