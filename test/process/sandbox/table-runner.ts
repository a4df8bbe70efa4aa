/**
 * Plays the table, or the attacks, in the environment that it is started in, and prints one line of JSON for each case. A program, bundled by its test.
 * Arguments: the thread's script, an empty folder, and options as JSON.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { SandboxPolicy } from '../../../src/process/sandbox/sandbox-policy.js';
import { ATTACKS } from './attacks.js';
import { ATTACKS_OUTSIDE } from './attacks-outside.js';
import { runConfined, sandboxesOf } from './confined.js';
import { playground } from './playground.js';
import { type Case, TABLE } from './table.js';

export interface RunnerOptions {
  readonly mounts?: boolean;
  readonly newestAbi?: number;
  /** What is played. Default: the table. */
  readonly cases?: 'attacks';
  /** Rows that are played. Default: all. */
  readonly rows?: readonly number[];
}

export interface RowResult {
  readonly row: number;
  readonly name: string;
  readonly got?: string;
  readonly expected?: string;
  readonly ok?: boolean;
  readonly skipped?: string;
}

const [worker = '', base = '', optionText = '{}'] = process.argv.slice(2);
const { cases, rows, ...options }: RunnerOptions = JSON.parse(optionText);
if (base === '') throw new Error('name an empty folder; everything in it is removed');
const { folders, reset } = playground(base);
const sandboxes = sandboxesOf(worker, options);
const PATH = process.env.PATH ?? '/usr/bin:/bin';
const isRoot = process.getuid?.() === 0;

const listen = (at: number | string): Promise<ReturnType<typeof createServer>> =>
  new Promise((resolve) => {
    const server = createServer((socket) => socket.on('error', () => {}).end('hello'));
    if (typeof at === 'string') server.listen(at, () => resolve(server));
    else server.listen(at, '127.0.0.1', () => resolve(server));
  });

const found = new Map<string, boolean>();
/** Whether a program runs. Looking for its file is not enough, because some files only start another program, which may be missing. */
function has(program: string): boolean {
  const known: boolean = found.get(program) ?? spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
  found.set(program, known);
  return known;
}

/** `WS`, `OUT/missing` and the like as a path. */
function place(name: string): string {
  const [first = '', ...rest] = name.split('/');
  const folder = folders[first];
  return folder === undefined ? name : [folder, ...rest].join('/');
}

function policyOf({ policy, network: wanted, roots = [], options: more = {} }: Case): SandboxPolicy {
  const network = wanted === true;
  if (policy === 'readOnly') return { type: policy, network };
  return {
    type: policy,
    network,
    workspace: place('WS'),
    writableRoots: roots.map(place),
    excludeSlashTmp: false,
    excludeTmpdirEnvVar: false,
    ...more,
  };
}

function reasonToSkip({ programs = [], user, script }: Case): string | undefined {
  const missing = programs.filter((program) => !has(program));
  if (missing.length > 0) return `the host has no ${missing.join(', ')}`;
  if (script.includes('syscall(') && process.arch !== 'x64') return 'its system calls have the numbers of x64';
  if (user === 'root' && !isRoot) return 'needs root';
  if (user === 'other' && isRoot) return 'needs another user than root';
  return undefined;
}

const tcp = await listen(0);
const socketPath = join(base, '..', `execwire-sandbox-${process.pid}.sock`);
const unix = await listen(socketPath);
const address = tcp.address();
const neighbour = spawn('sleep', ['600'], { stdio: 'ignore' });
const host = await sandboxes.host();
const owner = {};
const print = (result: RowResult): void => console.log(JSON.stringify(result));
print({ row: 0, name: 'host', got: JSON.stringify(host), ok: true });
if (host.missing.length === 0) {
  for (const one of cases === 'attacks' ? [...ATTACKS, ...ATTACKS_OUTSIDE] : TABLE) {
    if (rows !== undefined && !rows.includes(one.row)) continue;
    const name = `${one.what} (${one.policy}${one.network ? ', network' : ''})`;
    const skipped = reasonToSkip(one);
    if (skipped !== undefined) {
      print({ row: one.row, name, skipped });
      continue;
    }
    const env = {
      PATH,
      LC_ALL: 'C',
      HOME: '/nonexistent',
      ...folders,
      TMPDIR: folders.TMPD ?? '',
      NODE: process.execPath,
      SERVER: String(process.pid),
      NEIGHBOUR: String(neighbour.pid),
      PORT: String(typeof address === 'object' ? address?.port : 0),
      SOCKET: socketPath,
      ...Object.fromEntries(Object.entries(one.env ?? {}).map(([key, value]) => [key, place(value)])),
    };
    const got = await runConfined(sandboxes, {
      policy: policyOf(one),
      owner,
      argv: one.program === undefined ? ['sh', '-c', `exec 2>&1; ${one.script}`] : [one.program],
      cwd: place(one.cwd ?? 'WS'),
      env,
      ...(one.tty ? { tty: { rows: 33, cols: 77 } } : {}),
      ...(one.types === undefined ? {} : { types: one.types }),
    });
    const [abi, below] = one.belowAbi ?? [0, one.expect];
    const expected = host.landlockAbi < abi ? below : host.mountNamespace ? one.expect : (one.gap ?? one.expect);
    print({ row: one.row, name, got, expected: String(expected), ok: expected.test(got) });
    reset();
  }
}
sandboxes.releaseOwner(owner);
await sandboxes.close();
neighbour.kill();
tcp.close();
unix.close();
