/** A WebSocket client that sends what it is told and keeps what it gets. Knows no method. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Json } from './memory-transport.js';

export class RawClient {
  readonly ws: WebSocket;
  /** Everything that came, in order. */
  readonly messages: Json[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #nextId = 1;
  #waiting: {
    matches: (message: Json) => boolean;
    resolve: (message: Json) => void;
    reject: (error: Error) => void;
  }[] = [];

  constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on('message', (data) => this.#receive(JSON.parse(String(data)) as Json));
    this.closed = once(ws, 'close').then(([code, reason]) => {
      for (const { reject } of this.#waiting) reject(new Error(`closed with ${code} ${reason}`));
      return { code: code as number, reason: String(reason) };
    });
    ws.on('error', () => {});
  }

  /** @throws {Error} when the upgrade is refused */
  static async open(url: string, headers: Record<string, string> = {}): Promise<RawClient> {
    const ws = new WebSocket(url, { headers, perMessageDeflate: false });
    const client = new RawClient(ws);
    await once(ws, 'open');
    return client;
  }

  send(message: Json | string): void {
    this.ws.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The first message, there or to come, that matches. */
  next(matches: (message: Json) => boolean): Promise<Json> {
    const there = this.messages.find(matches);
    if (there !== undefined) return Promise.resolve(there);
    return new Promise((resolve, reject) => this.#waiting.push({ matches, resolve, reject }));
  }

  /** The whole reply to a request of that id. */
  replyTo(id: unknown): Promise<Json> {
    return this.next((message) => message.id === id && message.method === undefined);
  }

  /** Sends a request under an id of its own. */
  request(method: string, params: unknown = {}, more: Json = { jsonrpc: '2.0' }): Promise<Json> {
    const id = `r${this.#nextId}`;
    this.#nextId += 1;
    this.send({ ...more, id, method, params });
    return this.replyTo(id);
  }

  /** @returns the client, for one line less */
  async initialize(capabilities: Json = {}, more?: Json): Promise<this> {
    await this.request('initialize', { clientInfo: { name: 'raw', version: '1' }, capabilities }, more);
    return this;
  }

  async close(): Promise<void> {
    this.ws.close(1000);
    await this.closed;
  }

  #receive(message: Json): void {
    this.messages.push(message);
    this.#waiting = this.#waiting.filter(({ matches, resolve }) => {
      if (!matches(message)) return true;
      resolve(message);
      return false;
    });
  }
}
