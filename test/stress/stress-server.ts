/** Starts the built server for the stress programs, connects to it, and looks at what it holds. Knows nothing of what is tried on it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { type Client, connect } from '../../client/client.js';

const SERVER = 'dist/execwire.cjs';
/** A server that has not said where it listens by then does not start at all. */
const START_TIMEOUT_MS = 20_000;

/** A connection and the socket under it, which can stop reading. */
export interface StressClient {
  readonly client: Client;
  readonly socket: WebSocket;
}

/** A running server in a process of its own. */
export interface StressServer {
  readonly pid: number;
  connect(): Promise<StressClient>;
  /** Open descriptors. */
  descriptors(): number;
  threads(): number;
  /** Resident memory in bytes. */
  residentBytes(): number;
  /** Children of the server that wait to be reaped. */
  zombies(): number;
  /** SIGKILL, as a crash would. */
  crash(): Promise<void>;
  /** SIGTERM, and waits. @throws {Error} when it does not end with 0 */
  stop(): Promise<void>;
}

/** Starts the server with further flags, on the Node that runs this. */
export async function startServer(flags: readonly string[] = []): Promise<StressServer> {
  if (!existsSync(SERVER)) throw new Error(`${SERVER} is missing: run \`npm run build\` first`);
  const args = [
    SERVER,
    'serve',
    '--listen',
    'ws://127.0.0.1:0',
    '--log-level',
    'error',
    '--drain-timeout',
    '5s',
    ...flags,
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const url = await listeningUrl(child);
  const pid = child.pid ?? 0;
  const status = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  return {
    pid,
    connect: () => connectTo(url),
    descriptors: () => readdirSync(`/proc/${pid}/fd`).length,
    threads: () => status('Threads'),
    residentBytes: () => status('VmRSS') * 1024,
    zombies: () => zombiesOf(pid),
    async crash() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const [code] = await exited;
      if (code !== 0) throw new Error(`the server ended with ${code}`);
    },
  };
}

async function connectTo(url: string): Promise<StressClient> {
  let socket: WebSocket | undefined;
  class Kept extends WebSocket {
    constructor(address: string, protocols?: string[]) {
      super(address, protocols, { maxPayload: 0 });
      socket = this;
    }
  }
  const client = await connect(url, {
    clientInfo: { name: 'stress', version: '1' },
    capabilities: { experimentalApi: true },
    WebSocket: Kept,
  });
  if (socket === undefined) throw new Error('no socket was made');
  return { client, socket };
}

function listeningUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the server did not say where it listens')), START_TIMEOUT_MS);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code} before it listened`)));
    if (child.stderr === null) return;
    createInterface({ input: child.stderr }).on('line', (line) => {
      const url = /listening on: (ws:\S+)/.exec(line)?.[1];
      if (url !== undefined) {
        clearTimeout(timer);
        resolve(url);
      } else if (line.startsWith('{')) process.stderr.write(`server: ${line}\n`);
    });
  });
}

function zombiesOf(parent: number): number {
  return processTable().filter((entry) => entry.parent === parent && entry.state === 'Z').length;
}

interface TableEntry {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
}

/** Every process of the machine. */
export function processTable(): TableEntry[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return [{ pid: Number(name), parent: Number(parent), state }];
    } catch {
      return []; // It ended while we looked.
    }
  });
}

/** Living processes whose command line holds this word: a test puts one that nobody else has into the arguments. */
export function processesWith(word: string): number[] {
  return processTable()
    .filter(({ pid, state }) => state !== 'Z' && pid !== process.pid)
    .map(({ pid }) => pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(word);
      } catch {
        return false;
      }
    });
}

/** Looks until a condition holds. @throws {Error} naming what did not come about in time */
export async function until(what: string, timeoutMs: number, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Runs jobs 0 to `count - 1`, so many at a time. */
export async function inParallel(count: number, width: number, job: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await job(next - 1);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}
