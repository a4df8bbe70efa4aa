// Shows with real threads what rights the server itself keeps, when threads are replaced, and what is refused when a policy cannot be enforced.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { SandboxUnavailableError } from '../../../src/process/sandbox/sandbox-errors.js';
import { checkSandboxHost } from '../../../src/process/sandbox/sandbox-host.js';
import { planSandbox } from '../../../src/process/sandbox/sandbox-plan.js';
import type { SandboxPolicy, WorkspaceWritePolicy } from '../../../src/process/sandbox/sandbox-policy.js';
import { SandboxThread, sandboxThreads } from '../../../src/process/sandbox/sandbox-thread.js';
import { Sandboxes, type SandboxesOptions } from '../../../src/process/sandbox/sandboxes.js';
import { startProcess } from '../../../src/process/start-process.js';
import { until } from '../../support/until.js';
import { builtScripts, WORKER } from './built-scripts.js';
import { runConfined, sandboxesOf } from './confined.js';
import { temporaryBase } from './playground.js';

const READ_ONLY: SandboxPolicy = { type: 'readOnly', network: false };
const PATH = process.env.PATH ?? '/usr/bin:/bin';
const [worker, endsAtOnce] = await builtScripts(WORKER, 'test/process/sandbox/ends-at-once.ts');

t.jobs = 1;

const workspaceOf = (workspace: string, more: Partial<WorkspaceWritePolicy> = {}): WorkspaceWritePolicy => ({
  type: 'workspaceWrite',
  network: false,
  workspace,
  writableRoots: [],
  excludeSlashTmp: true,
  excludeTmpdirEnvVar: true,
  ...more,
});

const open = (t: { teardown(end: () => Promise<void>): void }, options: Partial<SandboxesOptions> = {}): Sandboxes => {
  const sandboxes = sandboxesOf(worker, options);
  t.teardown(() => sandboxes.close());
  return sandboxes;
};
const sh = (sandboxes: Sandboxes, script: string, policy: SandboxPolicy, owner: object, cwd = '/'): Promise<string> =>
  runConfined(sandboxes, {
    policy,
    owner,
    argv: ['sh', '-c', `exec 2>&1; ${script}`],
    cwd,
    env: { PATH, LC_ALL: 'C' },
  });

t.test(
  'server keeps all rights of its own when its first asynchronous call comes after a restricted thread',
  async (t) => {
    const base = temporaryBase(process.getuid?.() ?? 0);
    t.teardown(() => rmSync(base, { recursive: true }));
    const sandboxes = open(t);
    t.match(await sh(sandboxes, 'touch x', READ_ONLY, {}, base), /denied|Read-only/);
    // Enough writes at once that each of the four threads of libuv's pool gets one.
    await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => writeFile(join(base, name), name)));
    t.equal(await readFile(join(base, 'a'), 'utf8'), 'a');
    writeFileSync(join(base, 'sync'), '');
    t.match(readFileSync('/proc/self/status', 'latin1'), /^NoNewPrivs:\s+0$/m);
    const other = sandboxesOf(worker);
    t.match(
      await sh(other, 'touch free', workspaceOf(base), {}, base),
      /^0 $/,
      'the restrictions of the first thread do not hold for a second one',
    );
    await other.close();
    await access(join(base, 'free'));
  },
);

t.test('thread is replaced when a root has been replaced', async (t) => {
  const base = temporaryBase(process.getuid?.() ?? 0);
  t.teardown(() => rmSync(base, { recursive: true }));
  const root = join(base, 'root');
  mkdirSync(root);
  const sandboxes = open(t);
  const owner = {};
  const policy = workspaceOf(root);
  t.match(await sh(sandboxes, 'touch a', policy, owner, root), /^0 $/);
  renameSync(root, `${root}.old`);
  mkdirSync(root);
  t.match(await sh(sandboxes, 'touch b', policy, owner, root), /^0 $/);
  t.ok(existsSync(join(root, 'b')));
  t.equal(sandboxes.figures.threads, 2);
  symlinkSync('/etc', join(base, 'link'));
  const bounded = workspaceOf(join(base, 'link'), { within: [base] });
  t.match(
    await sh(sandboxes, 'touch /etc/execwire-sandbox-test', bounded, owner),
    /denied|Read-only/,
    'a link that leads out of the bounds is no root',
  );
  sandboxes.releaseOwner(owner);
});

t.test('protected folder is protected again when it was removed and made anew while its thread was kept', async (t) => {
  const base = temporaryBase(process.getuid?.() ?? 0);
  t.teardown(() => rmSync(base, { recursive: true }));
  const sandboxes = open(t);
  if (!(await sandboxes.host()).mountNamespace) {
    t.pass('folders cannot be protected here', { skip: 'the server may not mount' });
    return;
  }
  const owner = {};
  const [policy, protectedFolder] = [workspaceOf(base), join(base, '.git')];
  const script = 'touch free; touch .git/n';
  const inodes = new Set<number>();
  // Many file systems give the number of a removed folder to the next one, some only now and then.
  for (let attempt = 0; attempt < 5; attempt += 1) {
    rmSync(protectedFolder, { recursive: true, force: true });
    mkdirSync(protectedFolder);
    inodes.add(statSync(protectedFolder).ino);
    t.match(await sh(sandboxes, script, policy, owner, base), /^1 .*\.git\/n.*Read-only/);
    t.ok(existsSync(join(base, 'free')));
  }
  t.comment(`${inodes.size} inodes for 5 folders`);
  sandboxes.releaseOwner(owner);
});

t.test('plan makes no placeholder in a folder when the user of the command could not make one', async (t) => {
  const base = temporaryBase(0);
  t.teardown(() => rmSync(base, { recursive: true }));
  const user = { uid: 65_534, gid: 65_534, groups: [65_534], name: 'nobody' };
  const host = { landlockAbi: 7, scopes: true, mountNamespace: true, missing: [], reason: '', notEnforced: [] };
  const placeholders = async (mode: number, who: typeof user | undefined): Promise<number> => {
    chmodSync(base, mode);
    const planned = await planSandbox(workspaceOf(base), {
      host,
      offLoop: (lookup) => lookup(),
      tmpdir: undefined,
      user: who,
      isPlaceholder: () => false,
    });
    return planned.placeholders.length;
  };
  t.equal(await placeholders(0o755, user), 0);
  t.equal(await placeholders(0o757, user), 4);
  t.equal(await placeholders(0o755, { ...user, uid: process.getuid?.() ?? 0 }), 4);
  t.equal(await placeholders(0o755, undefined), 4);
});

t.test('command lives on, and its end is reported, when its thread is ended', async (t) => {
  const sandboxes = open(t, { bounds: { all: 1 } });
  const owner = {};
  const end = join(t.testdir(), 'end');
  const long = sh(sandboxes, `until [ -e "${end}" ]; do sleep 0.05; done; echo late; exit 7`, READ_ONLY, owner);
  // A start under another plan ends the thread, because there may be only one.
  t.match(await sh(sandboxes, 'echo other', { type: 'readOnly', network: true }, owner), /^0 other$/);
  writeFileSync(end, '');
  t.match(await long, /^7 late$/);
  t.match(sandboxes.figures, { threads: 1, threadsStarted: 2 });
});

t.test('nothing is started when a policy cannot be enforced', async (t) => {
  const without = sandboxesOf(worker, { newestAbi: 0 });
  t.match(await without.host(), { missing: ['landlock'] });
  t.match(await sh(without, 'touch /tmp/never', READ_ONLY, {}), /^SandboxUnavailableError .*no Landlock/);
  t.match(await new Sandboxes({ script: worker, libc: async () => ({}) }).host(), {
    missing: ['architecture'],
    landlockAbi: 0,
  });
  const broken = sandboxesOf(join(worker, '..', 'missing.mjs'), { mounts: false });
  t.match(await sh(broken, 'touch /tmp/never', READ_ONLY, {}), /^SandboxUnavailableError /);
  t.match(broken.figures, { threads: 0, threadsFailed: 1 });
  await t.rejects(
    startProcess(
      { argv: ['true'], cwd: '/', env: {}, stdin: false, sandbox: { policy: READ_ONLY, owner: {} } },
      { onOutput() {}, onOutputEnd() {}, onExit() {} },
    ),
    SandboxUnavailableError,
  );
  t.notOk(existsSync('/tmp/never'));
});

t.test('thread starts nothing when its restrictions are missing or incomplete', async (t) => {
  const thread = new SandboxThread(worker);
  const start = {
    file: '/bin/true',
    argv: ['true'],
    env: {},
    cwd: '/',
    streams: { stdin: undefined, stdout: 1, stderr: 2 },
  };
  await t.rejects(thread.spawn(start), /without restrictions/);
  const context = {
    host: { landlockAbi: 7, scopes: true, mountNamespace: false, missing: [], reason: '', notEnforced: [] },
    offLoop: <T>(lookup: () => Promise<T>) => lookup(),
    tmpdir: undefined,
    user: undefined,
    isPlaceholder: () => false,
  };
  const planned = (await planSandbox(READ_ONLY, context)).plan();
  const outdated = { ...planned, rules: [...planned.rules, { path: '/tmp', rights: 4, identity: '0:0' }] };
  await t.rejects(thread.restrict(outdated, []), { name: 'SandboxPlanOutdatedError', message: /\/tmp/ });
  await t.rejects(thread.restrict({ ...planned, landlockAbi: 1 }, []), {
    name: 'SandboxUnavailableError',
    missing: ['landlock'],
  });
  await t.rejects(thread.spawn(start), /without restrictions/);
  await thread.end();
  await t.rejects(thread.spawn(start), /has ended/);
});

t.test('check of the host names the parts that are missing', (t) => {
  const calls = { landlockAbi: () => 7, hasSeccomp: () => true, createRuleset: () => openSync('/dev/null', 'r') };
  const check = (more: object, options = { mountNamespace: false }) =>
    checkSandboxHost({ ...calls, ...more } as never, options);
  t.match(check({}), { landlockAbi: 7, missing: [], notEnforced: ['protectedPaths', 'metadata', 'processList'] });
  t.match(check({}, { mountNamespace: true }), { notEnforced: ['processList'] });
  t.match(check({ landlockAbi: () => 0, hasSeccomp: () => false }), {
    missing: ['landlock', 'seccomp'],
    reason: /Landlock.*seccomp/,
  });
  t.match(check({ landlockAbi: () => 5 }), {
    scopes: false,
    notEnforced: ['protectedPaths', 'metadata', 'processList', 'signals'],
  });
  const refusing = () => {
    throw new Error('EINVAL');
  };
  t.match(
    check({ landlockAbi: () => 6, createRuleset: refusing }),
    { scopes: false, missing: [] },
    'a kernel that says 6 and lacks the scopes',
  );
  t.match(check({ landlockAbi: () => 9 }), { landlockAbi: 7 });
  t.end();
});

/** Counts the stacks on which koffi calls functions, by the page that guards each. There is one for each living thread if none is left behind. */
function callStacks(): number {
  const ranges = [...readFileSync('/proc/self/maps', 'latin1').matchAll(/^(\w+)-(\w+) (\S+)/gm)].map(
    ([, start = '', end = '', rights]) => ({ bytes: Number.parseInt(end, 16) - Number.parseInt(start, 16), rights }),
  );
  const isStack = (bytes: number): boolean => bytes >= 2 ** 21 && bytes < 2 ** 22;
  return ranges.filter(({ bytes, rights }, index) => {
    return rights === '---p' && bytes === 4096 && isStack(ranges[index + 1]?.bytes ?? 0);
  }).length;
}

t.test('threads leave neither threads, descriptors nor call stacks when many are started and ended', async (t) => {
  const sandboxes = open(t, { bounds: { idle: 1 }, mounts: false });
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const threads = (): number => readdirSync('/proc/self/task').length;
  const run = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) {
      const owner = {};
      t.match(await sh(sandboxes, 'env', { type: 'readOnly', network: index % 2 === 0 }, owner), /^0 /);
      sandboxes.releaseOwner(owner);
    }
    // A thread that was asked to end takes a moment.
    while (sandboxes.figures.threads > 1) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await run(4);
  const before = { descriptors: descriptors(), threads: threads(), stacks: callStacks() };
  await run(12);
  t.ok(descriptors() <= before.descriptors, `${descriptors()} descriptors, ${before.descriptors} before`);
  t.ok(threads() <= before.threads + 1, `${threads()} threads, ${before.threads} before`);
  if (process.arch === 'x64') {
    t.ok(callStacks() > 0, 'the count finds stacks');
    t.ok(callStacks() <= before.stacks + 1, `${callStacks()} call stacks, ${before.stacks} before`);
  }
});

t.test('close waits for the thread of the check of the host', async (t) => {
  const before = sandboxThreads();
  const sandboxes = sandboxesOf(worker, { mounts: true });
  void sandboxes.host();
  await until('its thread begins', () => sandboxThreads() > before);
  await sandboxes.close();
  t.equal(sandboxThreads(), before);
});

t.test('program ends with its exit code, and tells of its exit, while threads begin', async (t) => {
  // Spread over the time in which a thread loads the library that calls C.
  for (let delayMs = 0; delayMs < 120; delayMs += 6) {
    const { status, signal, stdout } = spawnSync(process.execPath, [endsAtOnce, worker, String(delayMs)], {
      encoding: 'utf8',
    });
    t.same({ status, signal, stdout }, { status: 3, signal: null, stdout: 'exit 3\n' }, `after ${delayMs} ms`);
  }
});
