/** A TCP proxy that a test can cut, close or point at another server. Knows nothing of what passes through it. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** One connection through it. */
interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/** A proxy on a loopback port. */
export class CuttingProxy {
  /** Where new connections lead. */
  targetPort: number;
  /** Whether new connections are refused. */
  isShut = false;
  /** Bytes from servers to clients so far. */
  bytesDown = 0;
  /** Connections so far. */
  connections = 0;
  /** Bytes from servers after which every connection is cut; called for each new connection and after each cut. Default: no cut. */
  cutAfter: () => number = () => Number.POSITIVE_INFINITY;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #cutAt = Number.POSITIVE_INFINITY;

  /** Use {@link CuttingProxy.start}. */
  constructor(targetPort: number) {
    this.targetPort = targetPort;
    this.#server = createServer((client) => this.#accept(client));
  }

  static async start(targetPort: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(targetPort);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Breaks every connection, without a Close to either side. */
  cut(): void {
    this.#cutAt = this.bytesDown + this.cutAfter();
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  /** Cuts, and refuses new connections until it is opened. */
  shut(): void {
    this.isShut = true;
    this.cut();
  }

  open(): void {
    this.isShut = false;
  }

  async close(): Promise<void> {
    this.shut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    client.on('error', () => {});
    if (this.isShut) {
      client.destroy();
      return;
    }
    const server = connect(this.targetPort, '127.0.0.1');
    server.on('error', () => {});
    const pair = { client, server };
    this.#pairs.add(pair);
    this.connections += 1;
    this.#cutAt = Math.min(this.#cutAt, this.bytesDown + this.cutAfter());
    server.on('data', ({ length }) => {
      this.bytesDown += length;
      // AFTER the received bytes were passed on, so that most cuts fall into a message.
      if (this.bytesDown >= this.#cutAt) this.cut();
    });
    client.pipe(server);
    server.pipe(client);
    client.on('close', () => {
      this.#pairs.delete(pair);
      server.destroy();
    });
    server.on('close', () => client.destroy());
  }
}
