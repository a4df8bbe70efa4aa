/** Starts the built server in a process of its own and looks at it from outside. Knows nothing of what is tried on it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { type Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';

/** Another build can be put here, to try a change while `dist/` is in use. */
const SERVER = process.env.EXECWIRE_BUILD ?? 'dist/execwire.cjs';

export interface StartOptions {
  readonly flags?: readonly string[];
  /** Default `ws://127.0.0.1:0`. */
  readonly listen?: string;
  /** Soft and hard limit of descriptors. Default: the machine's. */
  readonly descriptorLimit?: number;
  /** A program, with its arguments, that becomes the server (`setpriv`, `unshare`). Default: none. */
  readonly through?: readonly string[];
  /** What standard error is connected to, as a shell writes it. Default: a pipe that is read. */
  readonly stderr?: string;
  /** Variables set for it. Default: none. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Answer of the listener to a plain request or a refused upgrade. */
export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly text: string;
}

/** A server that has said where it listens. */
export interface ServerProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly url: string;
  readonly port: number;
  readonly exited: Promise<Exit>;
  /** Lines of its log so far. */
  readonly lines: string[];
  signal(signal: NodeJS.Signals): void;
  /** Resolves when the log has a line with this text. */
  logged(text: string): Promise<void>;
  get(path: string, agent?: Agent): Promise<HttpAnswer>;
}

/** Starts one and waits until it listens; the test's end kills it. */
export async function startServer(t: Test, options: StartOptions = {}): Promise<ServerProcess> {
  const listen = options.listen ?? 'ws://127.0.0.1:0';
  const child = spawnServer(t, { ...options, listen });
  const exited = exitOf(child);
  const lines: string[] = [];
  const waiting = new Map<string, () => void>();
  const reader = child.stderr === null ? undefined : createInterface({ input: child.stderr });
  reader?.on('line', (line) => {
    lines.push(line);
    for (const [text, resolve] of waiting) if (line.includes(text)) resolve();
  });
  const logged = (text: string): Promise<void> =>
    lines.some((line) => line.includes(text))
      ? Promise.resolve()
      : new Promise((resolve) => waiting.set(text, resolve));
  const ended = exited.then(({ code }) => {
    throw new Error(`the server ended with ${code} before it listened:\n${lines.join('\n')}`);
  });
  ended.catch(() => {});
  if (reader !== undefined) await Promise.race([logged('  healthz:'), ended]);
  const url = lines.map((line) => /listening on: (\S+)/.exec(line)?.[1]).find((found) => found !== undefined) ?? listen;
  const port = Number(/:(\d+)$/.exec(url)?.[1] ?? 0);
  return {
    child,
    pid: child.pid ?? 0,
    url,
    port,
    exited,
    lines,
    signal: (signal) => void child.kill(signal),
    logged,
    get: (path, agent) => httpGet(port, path, agent),
  };
}

/** Starts one and waits for nothing. Standard input and output are pipes. */
export function spawnServer(t: Test, options: StartOptions): ChildProcess {
  const limit = options.descriptorLimit === undefined ? '' : `ulimit -n ${options.descriptorLimit}; `;
  const target = options.stderr === undefined ? '' : ` 2>${options.stderr}`;
  const args = ['--listen', options.listen ?? 'stdio://', ...(options.flags ?? [])];
  const [program = '', ...rest] = [...(options.through ?? []), process.execPath, SERVER, 'serve', ...args];
  const child = spawn('sh', ['-c', `${limit}exec "$0" "$@"${target}`, program, ...rest], {
    stdio: ['pipe', 'pipe', options.stderr === undefined ? 'pipe' : 'ignore'],
    env: { ...process.env, ...options.env },
  });
  child.stdin?.on('error', () => {});
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  });
  return child;
}

/** Resolves when the process has ended. */
export async function exitOf(child: ChildProcess): Promise<Exit> {
  const [code, signal] = await once(child, 'exit');
  return { code, signal };
}

/** A plain GET; over a connection of its own unless an agent is given. */
export function httpGet(port: number, path: string, agent?: Agent): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, agent: agent ?? false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], text }),
      );
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** Living processes whose environment or arguments hold this word, zombies left out. */
export function processesWith(word: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return ['cmdline', 'environ'].some((file) => readFileSync(`/proc/${name}/${file}`, 'latin1').includes(word));
      } catch {
        return false; // It ended while we looked, or is another user's.
      }
    })
    .map(Number);
}

/** Looks again and again until it holds: for facts that nothing tells. @throws {Error} after `timeoutMs` */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
