/**
 * Answers TCP connections for which there is no room, before anything is read from them. Node itself would close such connections without an answer
 * (`maxConnections`), and so would libuv at the limit of descriptors. Knows no HTTP beyond that one answer.
 */
import { Server as HttpServer } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Overload } from './overload.js';

/** Room for TCP connections that are no sessions: probes, scrapes, and upgrades that are being refused. */
const SPARE_CONNECTIONS = 256;
/** How long to wait for the request of a refused peer. The request follows the connection closely, and descriptors are short. */
const REQUEST_TIMEOUT_MS = 50;
/** At most so many refused peers are waited for at once. */
const MAX_WAITING = 8;
const REFUSAL =
  'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nfull\n';

export interface TcpAdmissionOptions {
  /** Connections of sessions. */
  readonly maxConnections: number;
  readonly overload: Pick<Overload, 'takeSocket'>;
}

/** Sees each connection before the server's own listeners do. */
export class TcpAdmission {
  readonly #max: number;
  readonly #overload: TcpAdmissionOptions['overload'];
  /** Sockets that were let in. A server may be given the same socket twice, see `plain-requests.ts`. */
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
    // Before the handshake no answer can be sent over TLS; the peer sees a closed connection.
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
    });
    if (this.#open > this.#max || !hasDescriptor) return false;
    this.#admitted.add(socket);
    return true;
  }

  #refuse(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (this.#waiting >= MAX_WAITING) {
      // The kernel takes the short answer before `write` returns, and `destroy` frees the descriptor before the next connection is accepted. An orderly
      // end would hold it for a turn of the loop: in a burst libuv then runs out of descriptors and closes connections without an answer.
      socket.write(REFUSAL);
      socket.destroy();
      return;
    }
    this.#waiting += 1;
    socket.once('close', () => {
      this.#waiting -= 1;
    });
    socket.end(REFUSAL);
    const close = (): void => socket.destroySoon();
    // AFTER the request has come, because unread bytes turn the close into a reset, which may overtake the answer.
    socket.once('data', close);
    socket.once('end', close);
    socket.setTimeout(REQUEST_TIMEOUT_MS, close);
  }
}
