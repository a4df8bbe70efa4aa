// A relay between the agent and its server that says how long each request was open. Takes every message apart, and changes none.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type RawData, WebSocket, WebSocketServer } from 'ws';

/** From one moment to another, in milliseconds of this process's clock. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A request on its way. A process lasts until it is closed. */
interface Open {
  readonly fromMs: number;
  readonly processId: string | undefined;
}

interface Seen {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: { readonly processId?: string };
  readonly error?: unknown;
}

export class WireRecorder {
  readonly #server: WebSocketServer;
  readonly #target: string;
  #spans: Span[] = [];

  private constructor(server: WebSocketServer, target: string) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (client) => this.#relay(client));
  }

  /** @param target `ws://…` of the server */
  static async start(target: string): Promise<WireRecorder> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    return new WireRecorder(server, target);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Everything that was answered since the last call. */
  take(): Span[] {
    const spans = this.#spans;
    this.#spans = [];
    return spans;
  }

  async close(): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #relay(client: WebSocket): void {
    const server = new WebSocket(this.#target, { perMessageDeflate: false, maxPayload: 0 });
    const requests = new Map<string | number, Open>();
    const processes = new Map<string, number>();
    const waiting: string[] = [];
    const done = (fromMs: number): void => {
      this.#spans.push({ fromMs, toMs: performance.now() });
    };
    for (const socket of [client, server]) socket.on('error', () => {});
    client.on('message', (data: RawData) => {
      const text = String(data);
      const { id, method, params } = JSON.parse(text) as Seen;
      const processId = method === 'process/start' ? params?.processId : undefined;
      if (id !== undefined) requests.set(id, { fromMs: performance.now(), processId });
      if (server.readyState === WebSocket.OPEN) server.send(text);
      else waiting.push(text);
    });
    server.on('open', () => {
      for (const text of waiting) server.send(text);
    });
    server.on('message', (data: RawData) => {
      const text = String(data);
      const { id, method, params, error } = JSON.parse(text) as Seen;
      const open = id === undefined ? undefined : requests.get(id);
      if (id !== undefined && open !== undefined) {
        requests.delete(id);
        if (open.processId !== undefined && error === undefined) processes.set(open.processId, open.fromMs);
        else done(open.fromMs);
      }
      const processId = params?.processId;
      const startMs = processId === undefined ? undefined : processes.get(processId);
      if (method === 'process/closed' && processId !== undefined && startMs !== undefined) {
        processes.delete(processId);
        done(startMs);
      }
      client.send(text);
    });
    client.on('close', () => server.terminate());
    server.on('close', () => client.terminate());
  }
}

/** Milliseconds in which at least one of the spans was open. */
export function openMs(spans: readonly Span[]): number {
  let untilMs = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (const { fromMs, toMs } of [...spans].sort((one, other) => one.fromMs - other.fromMs)) {
    sum += Math.max(0, toMs - Math.max(fromMs, untilMs));
    untilMs = Math.max(untilMs, toMs);
  }
  return sum;
}
