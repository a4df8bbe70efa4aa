/**
 * Starts the built server in a process of its own, and tells its address, its log, its end and what it holds, all seen from outside. Every test starts
 * servers by it. Knows no test framework; `server.ts` ends each server with its test. Long because its
 * options and its figures are those of all tests.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import type { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Answer, ask } from './ask.js';
import { childrenOf, descriptorsOf, isAlive, processesWith } from './process-table.js';
import { until } from './until.js';
import { WireClient, type WireOptions } from './wire-client.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BUILT = `${ROOT}dist/execwire.cjs`;
/** The built server. `SERVER_UNDER_TEST` names another build of it. */
export const SERVER = process.env.SERVER_UNDER_TEST ?? BUILT;
const SOURCE_FOLDERS = ['src', 'plugins', 'routes'];
const PROBE = fileURLToPath(new URL('server-probe.cjs', import.meta.url));
/** Milliseconds. A server without a banner by then counts as not started. */
export const START_MS = 60_000;
/** Milliseconds from SIGTERM to SIGKILL, with room for a busy machine. */
const STOP_MS = 60_000;
/** Lines kept of a log: a run of hours leaves millions. */
const KEPT_LINES = 20_000;
/** pino's number of the level `error`. */
const ERROR_LEVEL = 50;
const ADDRESS = /listening on: (\S+)/;
/** The banner's last line; log lines come after it. */
const BANNER_END = /^ *healthz: /;

/** How to start a server. */
export interface ServerOptions {
  /** Default `ws://127.0.0.1:0`. */
  readonly listen?: string;
  /** Further flags of `serve`. */
  readonly flags?: readonly string[];
  /** Variables beside the inherited ones. */
  readonly env?: Readonly<Record<string, string>>;
  /** A program with its arguments that becomes the server, such as {@link withDescriptors}. Default: none. */
  readonly through?: readonly string[];
  /** The whole command line, in place of the script, `listen` and `flags`. Default: none. */
  readonly argv?: readonly string[];
  /** The server's script. Default {@link SERVER}. */
  readonly script?: string;
  /** Its working directory. Default: that of this process. */
  readonly cwd?: string;
  /** Whether {@link ServerProcess.figures} can be asked. Default: false. */
  readonly probe?: boolean;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What the server holds in its memory. */
export interface Figures {
  readonly timers: number;
  /** Listeners of the process itself. */
  readonly listeners: number;
  readonly resources: readonly string[];
  /** Entries of all Maps and Sets; only with the variable `TEST_PROBE_ENTRIES`. */
  readonly entries?: number;
  /** Bytes, after a collection. */
  readonly heapBytes: number;
}

/** Gives a server this soft and hard limit of descriptors. */
export function withDescriptors(limit: number): string[] {
  return ['sh', '-c', `ulimit -n ${limit}; exec "$@"`, 'sh'];
}

/** Connects a server's standard error to a file. The file is not read, so the log is unknown to the test. */
export function withStderr(path: string): string[] {
  return ['sh', '-c', `exec "$@" 2>${path}`, 'sh'];
}

/**
 * Runs a program without the variables that tap adds to every child: its hooks slow each start, and make a process exit with 7 if it may not write
 * into the checkout.
 */
function withNodeOptions(nodeOptions: string): string[] {
  const ofTap = Object.keys(process.env).filter((name) => /^_?TAP(JS)?(_|$)/.test(name));
  const unset = ['NODE_OPTIONS', ...ofTap].flatMap((name) => ['-u', name]);
  return ['env', ...unset, ...(nodeOptions === '' ? [] : [`NODE_OPTIONS=${nodeOptions}`])];
}

let isKnownFresh = false;

/** Looks once in a process. @throws {Error} when `dist/` is missing or older than a source */
function requireFreshBuild(): void {
  if (isKnownFresh) return;
  const built = statSync(BUILT, { throwIfNoEntry: false })?.mtimeMs;
  if (built === undefined) throw new Error('dist/execwire.cjs is missing: run `npm run build` first');
  for (const folder of SOURCE_FOLDERS) {
    for (const name of readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' })) {
      if (name.endsWith('.ts') && statSync(`${ROOT}${folder}/${name}`).mtimeMs > built) {
        throw new Error(`dist/execwire.cjs is older than ${folder}/${name}: run \`npm run build\` first`);
      }
    }
  }
  isKnownFresh = true;
}

/** A server, from its start to its end. */
export class ServerProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** The exit; by then all of its standard error has been read, so that its last lines are known. */
  readonly exited: Promise<Exit>;
  /** What `exited` tells, once it has. */
  exit: Exit | undefined;
  /** The URL of the banner; empty before it, and for a server without one. */
  url = '';
  /** Lines of standard error so far, the oldest dropped after 20,000. */
  readonly lines: string[] = [];
  /** Called for each line of standard error. */
  onLine: (line: string) => void = () => {};
  /** A word in the environment of every process that it starts. */
  readonly word: string;
  readonly #waiting = new Set<() => void>();
  #probeFolder: string | undefined;

  /** Starts the server and does not wait. */
  constructor(options: ServerOptions = {}) {
    const { listen = 'ws://127.0.0.1:0', flags = [], through = [], script = SERVER, cwd, probe = false } = options;
    if (script === BUILT) requireFreshBuild();
    ServerProcess.#started += 1;
    // With a dot, because the word of server 1 must not be part of that of server 10.
    this.word = `test-server-${process.pid}-${ServerProcess.#started}.`;
    const { NODE_OPTIONS: nodeOptions = '', ...variables } = options.env ?? {};
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      // Otherwise /readyz would say 503 while the machine has much else to do.
      EXECWIRE_MAX_EVENT_LOOP_DELAY: '0',
      ...variables,
      TEST_SERVER: this.word,
    };
    const allNodeOptions = [nodeOptions];
    if (probe) {
      this.#probeFolder = mkdtempSync(join(tmpdir(), 'execwire-probe-'));
      env.TEST_PROBE_FILE = join(this.#probeFolder, 'figures');
      allNodeOptions.push(`--require=${PROBE}`);
    }
    const serve = options.argv ?? [process.execPath, script, 'serve', '--listen', listen, ...flags];
    const argv = [...withNodeOptions(allNodeOptions.join(' ').trim()), ...through, ...serve];
    this.child = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['pipe', 'pipe', 'pipe'], env, cwd });
    this.pid = this.child.pid ?? 0;
    // Node connects them by sockets, and the kernel resets one whose other end is closed while something in it is unread. The exit tells the end.
    for (const stream of [this.child.stdin, this.child.stdout, this.child.stderr]) stream?.on('error', () => {});
    const errorOutputRead = new Promise((resolve) => this.child.stderr?.once('close', resolve));
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('exit', async (code, signal) => {
        await errorOutputRead;
        this.exit = { code, signal };
        if (this.#probeFolder !== undefined) rmSync(this.#probeFolder, { recursive: true, force: true });
        resolve(this.exit);
      });
    });
    this.exited.catch(() => {});
    let unfinished = '';
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${unfinished}${text}`.split('\n');
      unfinished = lines.pop() ?? '';
      for (const line of lines) this.#take(line);
    });
  }

  static #started = 0;

  /** Starts a server and waits until it listens. @throws {Error} with its output when it does not listen */
  static async start(options: ServerOptions = {}): Promise<ServerProcess> {
    const server = new ServerProcess(options);
    await server.untilListening();
    return server;
  }

  /** @throws {Error} with the server's output when it ends first */
  async untilListening(): Promise<void> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), START_MS);
    const ended = this.exited.then(({ code, signal }) => {
      throw new Error(`the server ended with ${signal ?? code} before it listened:\n${this.stderr}`);
    });
    ended.catch(() => {});
    try {
      await Promise.race([this.#lineThat('a banner', (line) => BANNER_END.test(line)), ended]);
    } finally {
      clearTimeout(timer);
    }
    this.url = ADDRESS.exec(this.stderr)?.[1] ?? '';
  }

  /** All of standard error that is kept. */
  get stderr(): string {
    return this.lines.map((line) => `${line}\n`).join('');
  }

  /** Of the URL; empty on a Unix socket. */
  get host(): string {
    return /^wss?:\/\/(.+):\d+$/.exec(this.url)?.[1] ?? '';
  }

  /** Of the URL; 0 on a Unix socket. */
  get port(): number {
    return Number(/^wss?:\/\/.+:(\d+)$/.exec(this.url)?.[1] ?? 0);
  }

  /** Of the HTTP routes. */
  get httpUrl(): string {
    return this.url.replace(/^ws/, 'http');
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Resolves when the log has a line with this text. @throws {Error} when the server ends first */
  async logged(text: string): Promise<void> {
    await this.#lineThat(`"${text}"`, (line) => line.includes(text));
  }

  /** A plain GET; over a connection of its own unless an agent is given. */
  get(path: string, agent?: Agent): Promise<Answer> {
    return ask(this, agent === undefined ? { path } : { path, agent });
  }

  /** A connection that is not initialized. */
  wire(options: WireOptions = {}): Promise<WireClient> {
    return WireClient.open(this.url, options);
  }

  /** Lines of its log that say `error` or worse. */
  errors(): string[] {
    return this.lines.filter((line) => line.startsWith('{') && Number(/"level":(\d+)/.exec(line)?.[1]) >= ERROR_LEVEL);
  }

  children(): number[] {
    return childrenOf(this.pid);
  }

  descriptors(): string[] {
    return descriptorsOf(this.pid);
  }

  /** The server's figures. @throws {Error} without the option `probe` */
  async figures(): Promise<Figures> {
    if (this.#probeFolder === undefined) throw new Error('the server was started without `probe`');
    const file = join(this.#probeFolder, 'figures');
    rmSync(file, { force: true });
    this.signal('SIGUSR2');
    await until('the figures are written', () => existsSync(file) || this.exit !== undefined);
    return JSON.parse(readFileSync(file, 'utf8')) as Figures;
  }

  /** Sends SIGTERM and waits; SIGKILL follows when it does not end. */
  async stop(): Promise<Exit> {
    if (this.exit !== undefined) return this.exit;
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), STOP_MS);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  /** SIGKILL, as a crash would, and waits. */
  async crash(): Promise<void> {
    if (this.exit !== undefined) return;
    this.signal('SIGKILL');
    await this.exited;
  }

  /** Resolves when no process that it started runs any more, its guardian included. @throws {Error} with the remaining ones */
  async untilNothingIsLeft(): Promise<void> {
    await until(`nothing of ${this.word} runs`, () => processesWith(this.word).every((pid) => !isAlive(pid)));
  }

  #take(line: string): void {
    this.lines.push(line);
    if (this.lines.length > KEPT_LINES) this.lines.shift();
    this.onLine(line);
    for (const look of [...this.#waiting]) look();
  }

  /** @param what names the line in the error */
  #lineThat(what: string, holds: (line: string) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!this.lines.some(holds)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
      const ended = (): void => {
        if (this.#waiting.delete(look)) reject(new Error(`the server ended before it logged ${what}:\n${this.stderr}`));
      };
      this.exited.then(ended, ended);
    });
  }
}
