/**
 * Answers TCP connections for which there is no room at all, before anything is read from them. Node itself closes such connections
 * without a word (`maxConnections`), and so does libuv at the limit of descriptors. Knows no HTTP beyond that one answer.
 */
import { Server as HttpServer } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Overload } from './overload.js';

/** TCP connections beside those of sessions: probes, scrapes, upgrades that are being refused. */
const SPARE_CONNECTIONS = 256;
/** How long the request of a refused peer is waited for. It follows the connection closely, and descriptors are what is short. */
const REQUEST_TIMEOUT_MS = 50;
/** Refused peers whose request is waited for at a time. */
const MAX_WAITING = 8;
const REFUSAL =
  'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nfull\n';

export interface TcpAdmissionOptions {
  /** Connections of sessions. */
  readonly maxConnections: number;
  readonly overload: Pick<Overload, 'takeSocket' | 'releaseSocket'>;
}

/** Stands before the listeners that a server has for its connections. */
export class TcpAdmission {
  readonly #max: number;
  readonly #overload: TcpAdmissionOptions['overload'];
  /** Let in before: a server may be given the same connection twice, see `plain-requests.ts`. */
  readonly #admitted = new WeakSet<Socket>();
  #open = 0;
  /** Refused peers whose request has not come yet. */
  #waiting = 0;

  constructor({ maxConnections, overload }: TcpAdmissionOptions) {
    this.#max = maxConnections + SPARE_CONNECTIONS;
    this.#overload = overload;
  }

  /** Takes over the connections of a server that does not listen yet. */
  guard(server: Server): void {
    const listeners = server.listeners('connection');
    // TLS has no words for it before the handshake: there the peer sees a closed connection.
    const speaksPlainly = server instanceof HttpServer;
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      if (this.#takes(socket)) for (const listener of listeners) listener.call(server, socket);
      else if (speaksPlainly) this.#refuse(socket);
      else socket.destroy();
    });
  }

  #takes(socket: Socket): boolean {
    if (this.#admitted.has(socket)) return true;
    this.#open += 1;
    const hasDescriptor = this.#overload.takeSocket();
    socket.once('close', () => {
      this.#open -= 1;
      this.#overload.releaseSocket();
    });
    if (this.#open > this.#max || !hasDescriptor) return false;
    this.#admitted.add(socket);
    return true;
  }

  #refuse(socket: Socket): void {
    const close = (): void => socket.destroySoon();
    socket.on('error', () => socket.destroy());
    socket.end(REFUSAL);
    if (this.#waiting >= MAX_WAITING) {
      close();
      return;
    }
    this.#waiting += 1;
    socket.once('close', () => {
      this.#waiting -= 1;
    });
    // AFTER its request has come: bytes that nobody has read turn the close into a reset, which may overtake the answer.
    socket.once('data', close);
    socket.once('end', close);
    socket.setTimeout(REQUEST_TIMEOUT_MS, close);
  }
}
