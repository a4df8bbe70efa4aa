/** A proxy that serves a server below a path of its own, as an ingress does. Takes the path off, and knows nothing else of what passes. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

/** A proxy on a loopback port. */
export class PrefixProxy {
  readonly #server: Server;
  readonly #prefix: string;
  readonly #targetPort: number;
  readonly #sockets = new Set<Duplex>();
  /** Paths outside of the prefix that were asked for. */
  readonly strayed: string[] = [];

  private constructor(prefix: string, targetPort: number) {
    this.#prefix = prefix;
    this.#targetPort = targetPort;
    this.#server = createServer((asked, answer) => this.#pass(asked, answer));
    this.#server.on('upgrade', (asked: IncomingMessage, socket: Duplex) => this.#upgrade(asked, socket));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** @param prefix such as `/box7` */
  static async start(prefix: string, targetPort: number): Promise<PrefixProxy> {
    const proxy = new PrefixProxy(prefix, targetPort);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Up to the prefix, which is in it. */
  get base(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${this.#prefix}`;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  /** The path behind the prefix; undefined for one that is not below it. */
  #pathOf({ url = '' }: IncomingMessage): string | undefined {
    if (url.startsWith(`${this.#prefix}/`)) return url.slice(this.#prefix.length);
    this.strayed.push(url);
    return undefined;
  }

  #pass(asked: IncomingMessage, answer: ServerResponse): void {
    const path = this.#pathOf(asked);
    if (path === undefined) {
      answer.writeHead(404).end();
      return;
    }
    const { method, headers } = asked;
    const passed = request({ host: '127.0.0.1', port: this.#targetPort, path, method, headers }, (got) => {
      answer.writeHead(got.statusCode ?? 502, got.headers);
      got.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    asked.pipe(passed);
  }

  #upgrade(asked: IncomingMessage, socket: Duplex): void {
    const path = this.#pathOf(asked);
    socket.on('error', () => {});
    if (path === undefined) {
      socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
      return;
    }
    const passed = request({ host: '127.0.0.1', port: this.#targetPort, path, headers: asked.headers });
    passed.on('error', () => socket.destroy());
    passed.on('response', (got) => {
      socket.write(`HTTP/1.1 ${got.statusCode} ${got.statusMessage}\r\nConnection: close\r\n\r\n`);
      got.pipe(socket);
    });
    passed.on('upgrade', (got, target, first) => {
      const lines: string[] = [];
      for (let at = 0; at < got.rawHeaders.length; at += 2)
        lines.push(`${got.rawHeaders[at]}: ${got.rawHeaders[at + 1]}\r\n`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
      socket.write(first);
      target.on('error', () => socket.destroy());
      socket.on('close', () => target.destroy());
      target.pipe(socket);
      socket.pipe(target);
    });
    passed.end();
  }
}
