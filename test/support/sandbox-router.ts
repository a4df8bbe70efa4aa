/**
 * Stands in for the routers of kubernetes-sigs/agent-sandbox: finds a sandbox by the header `X-Sandbox-ID`, and passes an upgrade on without
 * `Authorization`, `Origin` and the client's `Host`, as they do. Knows no message.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Headers that a sandbox never sees. */
const DROPPED = ['authorization', 'origin', 'host'];

/** The `Host` by which a router asks a sandbox. */
export function sandboxHost(name: string): string {
  return `${name}.agents.svc.cluster.local`;
}

/** A router on a free port. */
export class SandboxRouter {
  /** Its address, with `ws:`. */
  readonly url: string;
  readonly #server: Server;
  readonly #sandboxes: ReadonlyMap<string, number>;
  readonly #sockets = new Set<Duplex>();

  private constructor(server: Server, sandboxes: ReadonlyMap<string, number>) {
    this.#server = server;
    this.#sandboxes = sandboxes;
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => this.#pass(request, socket, head));
  }

  /** @param sandboxes the port of each, by its name */
  static async start(sandboxes: ReadonlyMap<string, number>): Promise<SandboxRouter> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new SandboxRouter(server, sandboxes);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #pass(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { 'x-sandbox-id': name } = request.headers;
    if (typeof name !== 'string') {
      refuse(socket, '400 Bad Request', 'X-Sandbox-ID header is required.');
      return;
    }
    const port = this.#sandboxes.get(name);
    if (port === undefined) {
      refuse(socket, '502 Bad Gateway', `Could not connect to the backend sandbox: ${name}`);
      return;
    }
    const upstream: Socket = connect(port, '127.0.0.1');
    for (const end of [socket, upstream]) {
      this.#sockets.add(end);
      end.on('close', () => this.#sockets.delete(end)).on('error', () => {});
    }
    const kept = request.rawHeaders.flatMap((field, at) =>
      at % 2 === 0 && !DROPPED.includes(field.toLowerCase()) ? [`${field}: ${request.rawHeaders[at + 1]}`] : [],
    );
    const lines = [`GET ${request.url} HTTP/1.1`, `Host: ${sandboxHost(name)}:${port}`, ...kept];
    upstream.write(`${lines.join('\r\n')}\r\n\r\n`);
    upstream.write(head);
    socket.pipe(upstream).pipe(socket);
    socket.on('close', () => upstream.destroy());
    upstream.on('close', () => socket.destroy());
  }
}

function refuse(socket: Duplex, status: string, detail: string): void {
  const body = JSON.stringify({ detail });
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
}
