/** A proxy between Unix sockets that passes a given number of bytes of a connection and then breaks it. Knows nothing of what passes through it. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Bytes of one connection after which it breaks. */
export interface Limits {
  /** From the client to the server. */
  readonly up: number;
  /** From the server to the client. */
  readonly down: number;
}

export const UNLIMITED: Limits = { up: Number.POSITIVE_INFINITY, down: Number.POSITIVE_INFINITY };

/** A proxy. While a client does not read, the proxy stops taking from the server after some hundred kilobytes, as a network would. */
export class BoundaryProxy {
  /** Called for each new connection. */
  limitsOf: () => Limits = () => UNLIMITED;
  /** Connections broken so far. */
  cuts = 0;
  readonly #target: string;
  readonly #path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** Use {@link BoundaryProxy.start}. */
  constructor(target: string, path: string) {
    this.#target = target;
    this.#path = path;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** @param target path of the server's socket. @param path of its own */
  static async start(target: string, path: string): Promise<BoundaryProxy> {
    const proxy = new BoundaryProxy(target, path);
    proxy.#server.listen(path);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `unix://${this.#path}`;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    const { up, down } = this.limitsOf();
    const server = connect(this.#target);
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    }
    this.#pass(client, server, up);
    this.#pass(server, client, down);
  }

  #pass(from: Socket, to: Socket, limit: number): void {
    let left = limit;
    from.on('data', (chunk: Buffer) => {
      const piece = chunk.subarray(0, left);
      left -= piece.length;
      const goesOn = to.write(piece);
      if (left === 0) {
        this.cuts += 1;
        from.destroy();
      } else if (!goesOn) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
    // Bytes that were passed on still arrive.
    from.on('close', () => to.destroySoon());
  }
}
