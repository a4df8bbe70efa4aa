// Owns the life of the server that is being fuzzed: start, address, memory, end. Knows nothing of what is sent to it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { resolve as resolvePath } from 'node:path';
import { createInterface } from 'node:readline';

/** The built server. `SERVER_UNDER_TEST` names another build of it. */
export const BUILT_SERVER =
  process.env.SERVER_UNDER_TEST ?? resolvePath(import.meta.dirname, '../../dist/execwire.cjs');

/** How the server is started. */
export interface StartOptions {
  /** Further flags of the server. */
  readonly flags?: readonly string[];
  /** Default: `ws://127.0.0.1:0`. */
  readonly listen?: string;
  /** Variables beside the inherited ones. */
  readonly env?: Readonly<Record<string, string>>;
  /** A program, with its arguments, that becomes the server (`setpriv`, `unshare`). Default: none. */
  readonly through?: readonly string[];
  /** Told of every line the server writes to stderr. */
  readonly onLine?: (line: string) => void;
}

/** A running server in a process of its own. */
export interface ServerUnderTest {
  /** As its banner says. */
  readonly url: string;
  /** Of the URL. */
  readonly host: string;
  /** Of the URL; 0 on a Unix socket. */
  readonly port: number;
  readonly pid: number;
  /** Undefined while it runs; how it ended otherwise. */
  ended(): string | undefined;
  /** Bytes of resident memory. 0 where the kernel does not tell. */
  residentBytes(): number;
  /** The last lines it wrote to stderr. */
  lastLines(): readonly string[];
  /** Sends SIGTERM and waits. @returns How it ended: `exit 0` when all is well. */
  stop(): Promise<string>;
}

const BANNER = /listening on: ((?:wss?|unix):\/\/\S+)/;
/** The banner's last line; what the server logs comes behind it. */
const BANNER_END = /healthz: /;

/** Milliseconds. A server that has not said where it listens by then does not start at all. */
const START_MS = 20_000;

/** Milliseconds from SIGTERM to SIGKILL: the drain timeout given below, and room for a slow machine. */
const STOP_MS = 15_000;

const KEPT_LINES = 40;

/** Starts `node SCRIPT serve` and waits for its banner. */
export async function startServer(script: string, options: StartOptions = {}): Promise<ServerUnderTest> {
  const { flags = [], listen = 'ws://127.0.0.1:0', env = {}, through = [], onLine = () => {} } = options;
  const serve = [process.execPath, script, 'serve', '--listen', listen, '--drain-timeout', '5', ...flags];
  const [program = process.execPath, ...args] = [...through, ...serve];
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } });
  const lines: string[] = [];
  let ended: string | undefined;
  child.once('exit', (code, signal) => {
    ended = signal ?? `exit ${code}`;
  });
  const url = await bannerOf(child, lines, onLine);
  const [, host = '', port = '0'] = /^wss?:\/\/(.+):(\d+)$/.exec(url) ?? [];
  return {
    url,
    host,
    port: Number(port),
    pid: child.pid ?? 0,
    ended: () => ended,
    residentBytes: () => residentBytesOf(child.pid),
    lastLines: () => lines,
    async stop() {
      if (ended !== undefined) return ended;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await exited;
      clearTimeout(timer);
      return ended ?? 'unknown';
    },
  };
}

function bannerOf(child: ChildProcess, lines: string[], onLine: (line: string) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    let url: string | undefined;
    function fail(reason: string): void {
      clearTimeout(timer);
      reject(new Error(`the server ${reason}\n${lines.join('\n')}`));
    }
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('did not say where it listens');
    }, START_MS);
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
    child.once('close', () => fail('ended before it listened'));
    if (child.stderr === null) return fail('has no stderr');
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.shift();
      onLine(line);
      url ??= BANNER.exec(line)?.[1];
      if (url === undefined || !BANNER_END.test(line)) return;
      clearTimeout(timer);
      resolve(url);
    });
  });
}

function residentBytesOf(pid: number | undefined): number {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}
