/**
 * A real server in a process of its own, the connections to it, and the proof that it left nothing behind. Knows no method beside
 * `initialize` and `command/exec`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { WebSocket } from 'ws';
import { type Client, type ConnectOptions, connect } from '../../client/client.js';
import { readProcTable } from '../../src/process/proc-table.js';
import { RawClient } from './raw-client.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BUILT = `${ROOT}dist/execwire.cjs`;
/** The built server. `SERVER_UNDER_TEST` names another build of it. */
export const SERVER = process.env.SERVER_UNDER_TEST ?? BUILT;
const SOURCES = ['src', 'plugins', 'routes'];
/** A server that has not said where it is by then does not start at all. */
const START_MS = 20_000;
/** Patience for what has no event: a process that is being reaped, a descriptor that is being closed. */
const SETTLE_MS = 10_000;
const LOOK_EVERY_MS = 10;
/** pino's number of the level `error`. */
const ERROR_LEVEL = 50;
const BANNER = /listening on: (\S+)\n {2}readyz: \S+\n {2}healthz: \S+\n/;

/** @throws {Error} when `dist/` is missing or older than a source */
export function requireFreshBuild(): void {
  if (SERVER !== BUILT) return;
  const built = statSync(BUILT, { throwIfNoEntry: false })?.mtimeMs;
  if (built === undefined) throw new Error('dist/execwire.cjs is missing: run `npm run build` first');
  for (const folder of SOURCES) {
    for (const name of readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' })) {
      if (name.endsWith('.ts') && statSync(`${ROOT}${folder}/${name}`).mtimeMs > built) {
        throw new Error(`dist/execwire.cjs is older than ${folder}/${name}: run \`npm run build\` first`);
      }
    }
  }
}

/** Resolves once a condition holds. @throws {Error} naming it when it does not within 10 s */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + SETTLE_MS;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Whether a process runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  return readProcTable().some((entry) => entry.pid === pid && entry.alive);
}

function childrenOf(pid: number): number[] {
  return readProcTable().flatMap((entry) => (entry.parent === pid ? [entry.pid] : []));
}

function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [`${fd} ${readlinkSync(`/proc/${pid}/fd/${fd}`)}`];
    } catch {
      return [];
    }
  });
}

/** A running server. */
export class TestServer {
  readonly child: ChildProcess;
  readonly pid: number;
  /** As its banner says; `stdio://` without one. */
  url = 'stdio://';
  stderr = '';
  /** How it ended: exit code or signal. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  readonly #open: { close(): Promise<unknown> }[] = [];
  #idleDescriptors = 0;
  #idleChildren: number[] = [];

  constructor(flags: readonly string[], env: NodeJS.ProcessEnv) {
    this.child = spawn(process.execPath, [SERVER, 'serve', ...flags], { stdio: ['pipe', 'pipe', 'pipe'], env });
    this.pid = this.child.pid ?? 0;
    this.ended = once(this.child, 'exit').then(([code, signal]) => (signal ?? code) as number | NodeJS.Signals | null);
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
  }

  /** Of the HTTP routes. */
  get httpUrl(): string {
    return this.url.replace(/^ws/, 'http');
  }

  async untilListening(): Promise<void> {
    const limit = setTimeout(() => this.child.kill('SIGKILL'), START_MS);
    let isOver = false;
    void this.ended.then(() => {
      isOver = true;
    });
    while (!BANNER.test(this.stderr)) {
      if (isOver) throw new Error(`the server did not start: ${this.stderr}`);
      await Promise.race([once(this.child.stderr ?? this.child, 'data'), this.ended]);
    }
    clearTimeout(limit);
    this.url = BANNER.exec(this.stderr)?.[1] ?? '';
  }

  /** Runs one command of each kind, so that what is loaded or started once is there, and notes what an idle server holds. */
  async warmUp(): Promise<void> {
    const client = await this.connect();
    await client.exec({ command: ['true'] });
    await client.start({ command: ['true'], tty: true }).result;
    await client.close();
    let descriptors = -1;
    await until('the server is idle', () => {
      const before = descriptors;
      descriptors = descriptorsOf(this.pid).length;
      return before === descriptors;
    });
    this.#idleDescriptors = descriptors;
    this.#idleChildren = childrenOf(this.pid);
  }

  /** The project's own client, initialized. */
  async connect(options: Partial<ConnectOptions> = {}): Promise<Client> {
    const clientInfo = { name: 'test', version: '1' };
    const client = await connect(this.url, { clientInfo, WebSocket, ...options });
    this.#open.push(client);
    return client;
  }

  /** A client that sends what it is told. */
  async raw(path = '/', headers: Record<string, string> = {}): Promise<RawClient> {
    const client = await RawClient.open(this.url.replace(/^(unix:\/\/.*)$/, 'ws+$1:') + path, headers);
    this.#open.push(client);
    return client;
  }

  /** Resolves when the server holds what it held when it was idle. @throws {Error} with what is left */
  async untilIdle(): Promise<void> {
    const look = (): string[] => {
      const children = childrenOf(this.pid).filter((pid) => !this.#idleChildren.includes(pid));
      const descriptors = descriptorsOf(this.pid);
      const tooMany = descriptors.length > this.#idleDescriptors ? descriptors : [];
      return [...children.map((pid) => `child ${pid}`), ...tooMany];
    };
    await until('the server is idle', () => look().length === 0).catch(() => {
      throw new Error(`left behind: ${look().join(', ')}`);
    });
  }

  /** Closes what is open, and tests that the server is as it was, ends well and complained of nothing. */
  async endsClean(t: Test): Promise<void> {
    await Promise.all(this.#open.map((client) => client.close()));
    await this.untilIdle();
    const all = childrenOf(this.pid);
    this.child.kill('SIGTERM');
    t.equal(await this.ended, 0, 'it ends in order');
    await until('its children are gone', () => !all.some(isAlive));
    t.same(this.errors(), [], 'it logged no error');
  }

  /** Lines of its log that say `error` or worse. */
  errors(): string[] {
    return this.stderr
      .split('\n')
      .filter((line) => line.startsWith('{') && Number(/"level":(\d+)/.exec(line)?.[1]) >= ERROR_LEVEL);
  }
}

/** Starts a server that ends with its test, whatever becomes of it. */
export function spawnServer(t: Test, flags: readonly string[], env: Record<string, string> = {}): TestServer {
  requireFreshBuild();
  const server = new TestServer(flags, { ...process.env, ...env });
  t.teardown(() => {
    server.child.kill('SIGKILL');
  });
  return server;
}

/** Starts a server on a port of its own and warms it up. */
export async function startServer(
  t: Test,
  flags: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<TestServer> {
  const listen = flags.includes('--listen') ? [] : ['--listen', 'ws://127.0.0.1:0'];
  const server = spawnServer(t, [...listen, ...flags], env);
  await server.untilListening();
  if (server.url.startsWith('ws:')) await server.warmUp();
  return server;
}

/** The resident memory of a process in bytes. */
export function residentBytesOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
}
