// Owns the well-behaved client beside the hostile ones: it must be served at all times, and nobody may reach its command.

import { once } from 'node:events';
import { request } from 'node:http';
import { WebSocket } from 'ws';
import { VICTIM_PROCESS_ID } from './message-generator.js';

/** Where a server listens, and what lets a good client in. */
export interface Address {
  readonly host: string;
  readonly port: number;
  /** Bearer token. Default: none. */
  readonly token?: string | undefined;
}

interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly processId?: string; readonly deltaBase64?: string };
  readonly result?: { readonly stdout?: string };
  readonly error?: { readonly message: string };
}

/** Milliseconds. How long a good client may wait for any one answer while the server is being attacked on a shared machine. */
const ANSWER_MS = 30_000;

/** One connection that sends requests one after the other. */
class GoodConnection {
  private readonly socket: WebSocket;
  private readonly pending = new Map<number, (reply: Reply) => void>();
  private lastId = 0;
  onDelta: (text: string) => void = () => {};

  constructor(address: Address) {
    const { host, port, token } = address;
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    this.socket = new WebSocket(`ws://${host}:${port}`, { headers });
    this.socket.on('error', () => {});
    this.socket.on('message', (data) => this.take(JSON.parse(String(data)) as Reply));
  }

  async open(): Promise<void> {
    await within(once(this.socket, 'open'), 'the upgrade');
    await this.call('initialize', { clientInfo: { name: 'good', version: '1' } });
  }

  /** Sends a request and waits for its reply. */
  call(method: string, params: object): Promise<Reply> {
    const id = ++this.lastId;
    const reply = new Promise<Reply>((resolve) => this.pending.set(id, resolve));
    this.socket.send(JSON.stringify({ id, method, params }));
    return within(reply, `the reply to ${method}`);
  }

  close(): void {
    this.socket.terminate();
  }

  private take(reply: Reply): void {
    if (reply.method === 'command/exec/outputDelta') {
      this.onDelta(Buffer.from(reply.params?.deltaBase64 ?? '', 'base64').toString());
    } else if (reply.id !== undefined) {
      this.pending.get(reply.id)?.(reply);
      this.pending.delete(reply.id);
    }
  }
}

/** A new client comes, runs a command and leaves; a probe asks for health. Throws when either is not served. */
export async function checkNextClient(address: Address): Promise<void> {
  const status = await within(healthStatus(address), 'the health probe');
  if (status !== 200) throw new Error(`/healthz answered ${status}`);
  const connection = new GoodConnection(address);
  try {
    await connection.open();
    const reply = await connection.call('command/exec', { command: ['/bin/echo', 'served'] });
    if (reply.result?.stdout !== 'served\n') throw new Error(`the next client got ${JSON.stringify(reply)}`);
  } finally {
    connection.close();
  }
}

/** A long-running command whose processId everybody guesses. */
export interface Victim {
  /** Throws when the command has ended, or has read anything but what its own client wrote. */
  check(): Promise<void>;
  close(): void;
}

/**
 * The victim writes it before all else, and nobody but its own client may ever read it. A multiple of three bytes: it looks the same in
 * every base64 text that begins with it.
 */
const VICTIM_SECRET = 'only the victim reads this.';

/** Whether something that a server sent to somebody else holds what only the victim may read. */
export function holdsVictimSecret(text: string): boolean {
  return text.includes(VICTIM_SECRET) || text.includes(Buffer.from(VICTIM_SECRET).toString('base64'));
}

/** Starts `cat` under the guessed processId; what is written to it comes back, and nothing else may. */
export async function startVictim(address: Address): Promise<Victim> {
  const connection = new GoodConnection(address);
  await connection.open();
  const running = connection.call('command/exec', {
    command: ['/bin/cat'],
    processId: VICTIM_PROCESS_ID,
    streamStdin: true,
    streamStdoutStderr: true,
    disableTimeout: true,
    disableOutputCap: true,
  });
  // It outlives any answer's patience. That it ended would show in the next write.
  running.catch(() => {});
  let round = 0;
  return {
    async check() {
      const line = `${VICTIM_SECRET} round ${++round}\n`;
      let echoed = '';
      const complete = new Promise<void>((resolve) => {
        connection.onDelta = (text) => {
          echoed += text;
          if (echoed.length >= line.length) resolve();
        };
      });
      const deltaBase64 = Buffer.from(line).toString('base64');
      const reply = await connection.call('command/exec/write', { processId: VICTIM_PROCESS_ID, deltaBase64 });
      if (reply.error !== undefined) throw new Error(`the victim was reached: ${JSON.stringify(reply)}`);
      await within(complete, "the victim's output");
      if (echoed !== line) throw new Error(`the victim read ${JSON.stringify(echoed.slice(0, 200))}`);
    },
    close: () => connection.close(),
  };
}

function healthStatus({ host, port }: Address): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = request({ host, port, path: '/healthz', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    probe.on('error', reject);
    probe.end();
  });
}

async function within<Value>(promise: Promise<Value>, what: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${ANSWER_MS} ms`)), ANSWER_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
