/** Lists the environments that a server may run in, as far as this host has them, and plays cases in each. Knows no case. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { builtScripts, WORKER } from './built-scripts.js';
import { runConfined, sandboxesOf } from './confined.js';
import { temporaryBase } from './playground.js';
import type { RowResult, RunnerOptions } from './table-runner.js';

const MOBY = fileURLToPath(new URL('../../fixtures/seccomp/moby-default.json', import.meta.url));
/** The profile that Debian's package golang-github-containers-common installs. */
const CONTAINERS_COMMON = '/usr/share/containers/seccomp.json';
const SYSCALL_HEADER = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h';
/** System calls that are newer than the headers of some hosts. */
const NEWER_CALLS = { fchmodat2: 452, setxattrat: 463, removexattrat: 466, file_setattr: 469 };
/** The capabilities of a container without further flags: moby, oci/caps/defaults.go. */
const DOCKER_CAPABILITIES = [
  'chown',
  'dac_override',
  'fsetid',
  'fowner',
  'mknod',
  'net_raw',
  'setgid',
  'setuid',
  'setfcap',
  'setpcap',
  'net_bind_service',
  'sys_chroot',
  'kill',
  'audit_write',
];
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const ownUid = process.getuid?.() ?? 0;

const [worker, runner, underProfile] = await builtScripts(
  WORKER,
  'test/process/sandbox/table-runner.ts',
  'test/process/sandbox/under-profile.ts',
);

/** Asserts each line that the runner prints. @returns how many cases were played */
async function follow(t: Test, child: ChildProcess): Promise<number> {
  let stderr = '';
  let played = 0;
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const skipped = new Set<string>();
  const exited = once(child, 'exit');
  if (child.stdout === null) throw new Error('the runner has no output');
  for await (const line of createInterface({ input: child.stdout })) {
    const { row, name, ok, got, expected, skipped: reason }: RowResult = JSON.parse(line);
    if (reason === undefined) {
      played += row === 0 ? 0 : 1;
      t.ok(ok, `row ${row}: ${name}`, { got, expected });
      if (row === 0) t.comment(got);
    } else if (!skipped.has(reason)) {
      skipped.add(reason);
      t.pass(`row ${row} and others`, { skip: reason });
    }
  }
  const [code, signal] = await exited;
  t.equal(signal ?? code, 0, `the runner ends: ${stderr}`);
  return played;
}

export interface Environment {
  readonly name: string;
  /** The beginning of the runner's command line. */
  readonly prefix: (base: string) => readonly string[];
  readonly uid?: number;
  readonly options?: RunnerOptions;
  /** Why this host does not have it. */
  readonly lacks?: string | undefined;
}

const needsRoot = isRoot ? undefined : 'needs root to become another user';
const setpriv = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
function lacksNobody(): string | undefined {
  if (!isRoot) return needsRoot;
  if (spawnSync('setpriv', ['--version']).error !== undefined) return 'the host has no setpriv (util-linux)';
  const readable = spawnSync('setpriv', [...setpriv.slice(1), process.execPath, '--check', worker]).status === 0;
  return readable ? undefined : `user ${NOBODY} can read neither ${process.execPath} nor ${worker}`;
}
function lacksProfile(profile: string): string | undefined {
  if (process.arch !== 'x64') return 'the profile is compiled for x64 only';
  if (!existsSync(profile)) return `the host has no ${profile}`;
  return existsSync(SYSCALL_HEADER)
    ? undefined
    : `the numbers of the system calls are in ${SYSCALL_HEADER} (linux-libc-dev)`;
}

/** Names and numbers of system calls as a file. */
function numbersFile(base: string): string {
  const header = readFileSync(SYSCALL_HEADER, 'utf8');
  const numbers = Object.fromEntries(
    [...header.matchAll(/^#define __NR_(\w+) (\d+)$/gm)].map(([, name, number]) => [name, Number(number)]),
  );
  const path = `${base}.numbers.json`;
  writeFileSync(path, JSON.stringify({ ...numbers, ...NEWER_CALLS }));
  return path;
}
const container = (profile: string, base: string, capabilities: readonly string[]): string[] => [
  process.execPath,
  underProfile,
  profile,
  numbersFile(base),
  capabilities.map((name) => `CAP_${name.toUpperCase()}`).join(),
];

export const ENVIRONMENTS: readonly Environment[] = [
  { name: isRoot ? 'root' : 'this user', prefix: () => [] },
  { name: 'root without mounts of its threads', prefix: () => [], options: { mounts: false }, lacks: needsRoot },
  { name: 'an unprivileged user', prefix: () => setpriv, uid: NOBODY, lacks: lacksNobody() },
  ...[MOBY, CONTAINERS_COMMON].flatMap((profile): Environment[] => [
    {
      name: `root with Docker's capabilities under ${profile}`,
      prefix: (base) => [
        'setpriv',
        `--bounding-set=-all,${DOCKER_CAPABILITIES.map((name) => `+${name}`).join()}`,
        ...container(profile, base, DOCKER_CAPABILITIES),
      ],
      lacks: needsRoot ?? lacksProfile(profile),
    },
    {
      name: `an unprivileged user under ${profile}`,
      prefix: (base) => [...setpriv, ...container(profile, base, [])],
      uid: NOBODY,
      lacks: lacksNobody() ?? lacksProfile(profile),
    },
  ]),
];

/** Plays cases in an environment. @returns how many were played */
export async function play(
  t: Test,
  { prefix = () => [], uid = ownUid, options = {} }: Partial<Environment>,
): Promise<number> {
  const base = temporaryBase(uid);
  t.teardown(() => {
    rmSync(base, { recursive: true });
    rmSync(`${base}.numbers.json`, { force: true });
  });
  const [program = '', ...args] = [...prefix(base), process.execPath, runner, worker, base, JSON.stringify(options)];
  return follow(t, spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' }));
}

/** Plays cases in a sandbox that is itself a command of a sandbox. @returns how many were played */
export async function playInside(t: Test, options: RunnerOptions): Promise<number> {
  const base = temporaryBase(ownUid);
  const results = `${base}.results`;
  const outer = sandboxesOf(worker);
  const owner = {};
  t.teardown(async () => {
    outer.releaseOwner(owner);
    await outer.close();
    rmSync(base, { recursive: true });
    rmSync(results, { force: true });
  });
  const out = await runConfined(outer, {
    policy: {
      type: 'workspaceWrite',
      network: true,
      workspace: base,
      writableRoots: ['/var/tmp'],
      excludeSlashTmp: false,
      excludeTmpdirEnvVar: true,
    },
    owner,
    argv: ['sh', '-c', 'exec "$@" > "$RESULTS"', 'sh', process.execPath, runner, worker, base, JSON.stringify(options)],
    cwd: base,
    env: { PATH: process.env.PATH ?? '', RESULTS: results },
  });
  t.match(out, /^0 /, 'the runner ends');
  return follow(t, spawn('cat', [results], { stdio: ['ignore', 'pipe', 'pipe'] }));
}
