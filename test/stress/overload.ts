/**
 * Shows that full queues cannot stop the server: many clients write requests without reading, all at once, and read only then. Every
 * request must have exactly one answer, a result or -32001, and memory must stay bounded. Knows nothing of processes.
 */
import type { WebSocket } from 'ws';
import { residentBytesOf } from '../support/process-table.js';
import { ServerProcess } from '../support/server-process.js';
import { until } from '../support/until.js';

export interface OverloadOptions {
  readonly connections: number;
  readonly requestsPerConnection: number;
}

export interface OverloadResult {
  readonly answered: number;
  readonly refused: number;
  /** Ids with no answer or with several. */
  readonly wrong: number;
  /** Growth of the server's resident memory at its worst, in bytes. */
  readonly grownBytes: number;
}

/** One request of this many starts a process; the others are small and answered at once. */
const EXEC_EVERY = 10;
/** Milliseconds for all answers. Far more than needed: a busy machine with two cores starts a hundred processes a second. */
const TIMEOUT_MS = 240_000;

/** Runs the stress against a server of its own, which gets more requests than it takes at once. */
export async function stressOverload(options: OverloadOptions): Promise<OverloadResult> {
  const flags = ['--max-requests', '2000', '--max-processes', '64', '--max-processes-per-connection', '8'];
  const server = await ServerProcess.start({ flags });
  const before = residentBytesOf(server.pid);
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, residentBytesOf(server.pid));
  }, 50);
  try {
    const clients = await Promise.all(
      Array.from({ length: options.connections }, async () =>
        (await server.wire()).initialize({ experimentalApi: true }),
      ),
    );
    const counts = clients.map(({ ws }) => new AnswerCount(ws, options.requestsPerConnection));
    for (const { ws } of clients) ws.pause();
    for (const { ws } of clients) {
      for (let index = 0; index < options.requestsPerConnection; index += 1) ws.send(requestText(index));
    }
    // When the sockets send no more, the kernel and the server have taken as much as they take without a reader.
    await settled(clients.map(({ ws }) => ws));
    for (const { ws } of clients) ws.resume();
    await until('all answers', () => counts.every(({ isComplete }) => isComplete), TIMEOUT_MS);
    for (const client of clients) await client.close();
    return {
      answered: counts.reduce((sum, { results }) => sum + results, 0),
      refused: counts.reduce((sum, { refusals }) => sum + refusals, 0),
      wrong: counts.reduce((sum, { wrong }) => sum + wrong, 0),
      grownBytes: peak - before,
    };
  } finally {
    clearInterval(watch);
    await server.stop();
  }
}

function requestText(index: number): string {
  const isExec = index % EXEC_EVERY === 0;
  const method = isExec ? 'command/exec' : 'command/exec/list';
  return JSON.stringify({ id: `s${index}`, method, params: isExec ? { command: ['true'] } : {} });
}

/** Counts the answers to one connection's requests. */
class AnswerCount {
  results = 0;
  refusals = 0;
  /** Answers that are neither a result nor -32001, and second answers. */
  wrong = 0;
  readonly #missing = new Set<string>();

  constructor(socket: WebSocket, requests: number) {
    for (let index = 0; index < requests; index += 1) this.#missing.add(`s${index}`);
    socket.on('message', (data) => this.#take(JSON.parse(String(data))));
  }

  get isComplete(): boolean {
    return this.#missing.size === 0;
  }

  #take(message: { id?: unknown; result?: unknown; error?: { code: number } }): void {
    if (typeof message.id !== 'string') return;
    if (!this.#missing.delete(message.id)) this.wrong += 1;
    else if (message.error === undefined) this.results += 1;
    else if (message.error.code === -32001) this.refusals += 1;
    else this.wrong += 1;
  }
}

/** Resolves when the bytes that the sockets still hold have not changed for twenty checks in a row. */
async function settled(sockets: readonly WebSocket[]): Promise<void> {
  let last = -1;
  let same = 0;
  const isStill = (): boolean => {
    const held = sockets.reduce((sum, { bufferedAmount }) => sum + bufferedAmount, 0);
    same = held === last ? same + 1 : 0;
    last = held;
    return held === 0 || same > 20;
  };
  await until('the sockets send no more', isStill, TIMEOUT_MS);
}
