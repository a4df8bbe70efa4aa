/** A client that sees every message and frame of its connection and may stop reading. Knows no method. */
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import type { Test } from 'tap';
import { WebSocket } from 'ws';

/** A message as it came. */
export interface WireMessage {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { code: number; message: string; data?: Record<string, unknown> };
}

/** One connection. */
export class WireClient {
  readonly ws: WebSocket;
  /** Everything received, in order. */
  readonly messages: WireMessage[] = [];
  /** Close code, 1006 when there was none. */
  readonly closed: Promise<number>;
  #nextId = 1;
  readonly #replies = new Map<number, (message: WireMessage) => void>();
  readonly #waiting: Array<{ holds: (message: WireMessage) => boolean; resolve: (message: WireMessage) => void }> = [];

  constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on('error', () => {});
    this.closed = once(ws, 'close').then(([code]) => code as number);
    ws.on('message', (data) => this.#receive(JSON.parse(String(data))));
  }

  /** Sends a request; resolves to its reply, which may be an error. Never, when the connection ends first. */
  request(method: string, params: unknown = {}): Promise<WireMessage> {
    const id = this.#nextId++;
    const reply = new Promise<WireMessage>((resolve) => this.#replies.set(id, resolve));
    this.ws.send(JSON.stringify({ id, method, params }));
    return reply;
  }

  exec(command: readonly string[], params: Record<string, unknown> = {}): Promise<WireMessage> {
    return this.request('command/exec', { command, ...params });
  }

  /** Resolves to the next message that has come or comes and for which this holds. */
  message(holds: (message: WireMessage) => boolean): Promise<WireMessage> {
    const there = this.messages.find(holds);
    if (there !== undefined) return Promise.resolve(there);
    return new Promise((resolve) => this.#waiting.push({ holds, resolve }));
  }

  notified(method: string): Promise<WireMessage> {
    return this.message((message) => message.method === method);
  }

  /** Streamed output of a command so far, as text. */
  output(processId: string): string {
    return this.messages
      .filter(({ method, params }) => method === 'command/exec/outputDelta' && params?.processId === processId)
      .map(({ params }) => Buffer.from(String(params?.deltaBase64), 'base64').toString())
      .join('');
  }

  /** Resolves when a command has said this. */
  async said(processId: string, text: string): Promise<void> {
    await this.message(() => this.output(processId).includes(text));
  }

  #receive(message: WireMessage): void {
    this.messages.push(message);
    if (message.id !== undefined && message.method === undefined) {
      this.#replies.get(message.id)?.(message);
      this.#replies.delete(message.id);
    }
    for (const [index, { holds, resolve }] of [...this.#waiting.entries()].reverse()) {
      if (!holds(message)) continue;
      this.#waiting.splice(index, 1);
      resolve(message);
    }
  }
}

/** Connects, and initializes unless told otherwise; the test's end cuts the connection. */
export async function connect(
  t: Test,
  url: string,
  options: { initialize?: boolean; capabilities?: Record<string, unknown> } = {},
): Promise<WireClient> {
  const ws = new WebSocket(url, { perMessageDeflate: false });
  t.teardown(() => ws.terminate());
  const client = new WireClient(ws);
  await once(ws, 'open');
  if (options.initialize === false) return client;
  const params = { clientInfo: { name: 'test', version: '1' }, capabilities: options.capabilities };
  const { error } = await client.request('initialize', params);
  if (error !== undefined) throw new Error(error.message);
  return client;
}

/** Status and `Retry-After` of an upgrade that is refused; status 101 for one that is not. */
export async function upgradeAnswer(url: string): Promise<{ status: number; retryAfter: string | undefined }> {
  const ws = new WebSocket(url);
  return new Promise((resolve, reject) => {
    ws.on('unexpected-response', (asked, response) => {
      resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] });
      asked.destroy();
    });
    ws.on('open', () => {
      resolve({ status: 101, retryAfter: undefined });
      ws.terminate();
    });
    ws.on('error', reject);
  });
}

/** A TCP connection that says what it is told to. */
export async function tcpConnect(t: Test, port: number): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1');
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** The bytes of an upgrade request. */
export function upgradeRequest(): string {
  return (
    'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
  );
}

/** A text frame of a client, with a mask of zeros. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const long = payload.length > 125;
  const header = Buffer.alloc(long ? 8 : 6);
  header[0] = 0x81;
  header[1] = 0x80 | (long ? 126 : payload.length);
  if (long) header.writeUInt16BE(payload.length, 2);
  return Buffer.concat([header, payload]);
}
