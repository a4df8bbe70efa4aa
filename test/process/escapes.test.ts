// Shows that kills reach processes that are hard to kill, and never a process that was given the number of an ended one.
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { MARKER_VARIABLE } from '../../src/process/environment.js';
import { GUARDIAN_SCRIPT } from '../../src/process/guardian-script.js';
import { killUntilGone } from '../../src/process/kill-until-gone.js';
import { addChildReapedElsewhere } from '../../src/process/own-children.js';
import { readProcEntry, readProcTable, startedWith } from '../../src/process/proc-table.js';
import { treeTarget } from '../../src/process/tree-scan.js';
import { childEnvironment } from '../support/child-environment.js';
import { until } from '../support/until.js';
import { findTree } from './find-tree.js';
import { builtScripts } from './sandbox/built-scripts.js';
import { type Running, run, start } from './start.js';

t.jobs = 1;

const NO_COMPILER = spawnSync('cc', ['--version']).status === 0 ? false : 'needs cc';
const NO_SMALL_NUMBERS = smallNumbersProblem();
const [FIXTURE] = await builtScripts('test/fixtures/small-numbers.ts');

/** A program whose main thread ends while another one goes on. The kernel calls such a process a zombie. */
const HEADLESS = `
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static pthread_t main_thread;
static void *go_on(void *unused) { pthread_join(main_thread, 0); puts("ready"); fflush(stdout); for (;;) pause(); return unused; }
int main(void) { main_thread = pthread_self(); pthread_t thread; pthread_create(&thread, 0, go_on, 0); pthread_exit(0); }
`;
/** A program that forks, leaves its parent's session and ends the parent, without a pause, for up to a minute. */
const FORKS_WITHOUT_PAUSE = `
#include <unistd.h>
int main(void) {
  write(1, "ready\\n", 6);
  for (long i = 0; i < 500000; i++) { if (fork()) _exit(0); setsid(); }
  return write(1, "over\\n", 5) < 0;
}
`;

/** A program that executes itself again and again, so that most looks at its process fall between two programs. */
const EXECUTES_ITSELF = `
#include <unistd.h>
int main(int count, char **arguments) {
  return execv("/proc/self/exe", arguments);
}
`;

function smallNumbersProblem(): false | string {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 14)) return 'needs Linux 6.14: before it pid_max is that of the whole host';
  if (spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status !== 0) return 'needs root and unshare';
  return false;
}

function compile(t: Test, source: string): string {
  const folder = t.testdir({ 'program.c': source });
  const program = join(folder, 'program');
  const { status, stderr } = spawnSync('cc', ['-O1', '-pthread', '-o', program, join(folder, 'program.c')]);
  if (status !== 0) throw new Error(String(stderr));
  return program;
}

async function startMarked(argv: readonly [string, ...string[]], marker: string): Promise<Running> {
  const running = await start({ argv, env: childEnvironment({ overrides: {}, marker, tty: false }) });
  await running.said('ready');
  return running;
}

/** Living processes that run a program, found without their marks, which cannot always be read. */
function running(program: string): number[] {
  const isProgram = (pid: number): boolean => {
    try {
      return readlinkSync(`/proc/${pid}/exe`) === program;
    } catch {
      return false;
    }
  };
  return readProcTable()
    .filter(({ pid, alive }) => alive && isProgram(pid))
    .map(({ pid }) => pid);
}

/** Living processes with this mark. */
function marked(marker: string): number[] {
  return readProcTable()
    .filter((entry) => entry.alive && startedWith(entry, MARKER_VARIABLE) === marker)
    .map(({ pid }) => pid);
}

for (const [name, prefix] of [
  ['is the leader', ''],
  ['has left its session and lost its parent', 'setsid '],
] as const) {
  t.test(`process without its main thread is killed when it ${name}`, { skip: NO_COMPILER }, async (t) => {
    const program = compile(t, HEADLESS);
    const marker = `${randomUUID()}.1`;
    const script = prefix === '' ? `exec ${program}` : `(${prefix}${program} &) ; exec sleep 600`;
    const running = await startMarked(['sh', '-c', script], marker);
    t.equal(marked(marker).length, prefix === '' ? 1 : 2);
    t.same(await killUntilGone([treeTarget([running.process.pid], marker)]), []);
    t.same(marked(marker), []);
    await running.done;
  });
}

t.test(
  'process without its main thread is killed by the guardian when the server ends',
  { skip: NO_COMPILER },
  async (t) => {
    const program = compile(t, HEADLESS);
    const marker = `${randomUUID()}.1`;
    const running = await startMarked(['sh', '-c', `(setsid ${program} &) ; exec sleep 600`], marker);
    await guardian(`${MARKER_VARIABLE}=${marker}`, '');
    await until('all are gone', () => marked(marker).length === 0);
    await running.done;
  },
);

t.test('orphan is killed when a look finds it between two programs', { skip: NO_COMPILER }, async (t) => {
  const program = compile(t, EXECUTES_ITSELF);
  const ROUNDS = 20;
  for (let round = 0; round < ROUNDS; round += 1) {
    const marker = `${randomUUID()}.1`;
    const leader = await startMarked(['sh', '-c', `(setsid ${program} >&- &) ; echo ready; exec sleep 600`], marker);
    await until('the program runs', () => running(program).length > 0);
    t.same(await killUntilGone([treeTarget([leader.process.pid], marker)]), []);
    const left = running(program);
    for (const pid of left) process.kill(pid, 'SIGKILL');
    t.same(left, []);
    await leader.done;
  }
});

t.test(
  'processes that fork and leave without a pause are killed beside others of their kind',
  { skip: NO_COMPILER },
  async (t) => {
    const program = compile(t, FORKS_WITHOUT_PAUSE);
    const markers = [1, 2].map((number) => `${randomUUID()}.${number}`);
    const own = `${randomUUID()}.1`;
    const bystander = await startMarked(['sh', '-c', '(setsid sleep 600 &) ; echo ready; exec sleep 600'], own);
    const commands = await Promise.all(markers.map((marker) => startMarked([program], marker)));
    for (const [index, command] of commands.entries()) {
      const marker = markers[index] ?? '';
      t.same(await killUntilGone([treeTarget([command.process.pid], marker)]), []);
      t.same(marked(marker), []);
      await command.done;
      t.equal(command.text(), 'ready\n', 'the program did not end by itself');
    }
    const all = [treeTarget([bystander.process.pid], own)];
    t.equal(findTree(all).length, 2, 'another command and its orphan live on');
    t.same(await killUntilGone(all), []);
    await bystander.done;
  },
);

t.test(
  'number of a command is used again only after the command is disposed of, and a kill reaches no new process',
  { skip: NO_SMALL_NUMBERS },
  async (t) => {
    const args = ['--pid', '--fork', '--mount-proc', '--kill-child', process.execPath, FIXTURE];
    const server = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    for await (const chunk of server.stdout) text += chunk;
    t.same(JSON.parse(text), { isReusedTooEarly: false, isReused: true, left: [], isOtherAlive: true });
  },
);

/** Runs a guardian that reads these lines and then the end of its input, as when the server has ended. Resolves when the guardian has ended. */
async function guardian(marker: string, lines: string): Promise<void> {
  const shell = spawn('/bin/sh', ['-c', GUARDIAN_SCRIPT, 'execwire-guardian', marker], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { PATH: '/usr/bin:/bin' },
  });
  // Node reaps the shell. Without this call the code under test could take it for an orphan and reap it first, and Node would never report its exit.
  const reaped = addChildReapedElsewhere(shell.pid ?? 0);
  shell.stdin.end(lines);
  await once(shell, 'exit');
  reaped();
}

const KERNEL_THREAD = readProcTable().find(({ pid, parent }) => pid === 2 && parent === 0);

t.test(
  'startedWith is undefined when the process is a thread of the kernel, which has no environment',
  { skip: KERNEL_THREAD === undefined && 'no thread of the kernel can be seen here' },
  (t) => {
    if (KERNEL_THREAD !== undefined) t.equal(startedWith(KERNEL_THREAD, MARKER_VARIABLE), undefined);
    t.end();
  },
);

t.test('guardian kills no process that has the number of an ended command', async (t) => {
  const strangers = await Promise.all(
    [1, 2].map(() => start({ argv: ['sh', '-c', 'sleep 600 & echo ready; exec sleep 600'] })),
  );
  await Promise.all(strangers.map((stranger) => stranger.said('ready')));
  const [first, second] = strangers.map(({ process: { pid } }) => readProcEntry(pid));
  if (first?.startTime === undefined || second?.startTime === undefined) throw new Error('not started');
  // The guardian is told of the first number with the start time of another process, and of the second number as ended.
  const lines = `+${first.pid} ${first.startTime - 1}\n+${second.pid} ${second.startTime}\n-${second.pid}\n`;
  await guardian('NOBODY=1', lines);
  for (const { pid } of [first, second]) {
    t.equal(readProcEntry(pid)?.alive, true);
    t.equal(findTree([treeTarget([pid], 'none')]).length, 2, 'its group lives on, too');
  }
  await guardian('NOBODY=1', `+${first.pid} ${first.startTime}\n+${second.pid} ${second.startTime}\n`);
  await Promise.all(strangers.map(({ done }) => done));
  t.pass('with the right start time both are killed with their groups');
});

t.test('orphan is reaped when it ends, and no other child is', async (t) => {
  const child = spawn('sh', ['-c', 'exit 7'], { stdio: 'ignore' });
  const exit = once(child, 'exit');
  const { text } = await run({ argv: ['sh', '-c', '(setsid sh -c "echo \\$\\$; exec sleep 0.01" &)'] });
  const orphan = Number(text());
  t.ok(orphan > 1);
  t.same(await exit, [7, null]);
  await until('the orphan is no zombie', () => readProcEntry(orphan) === undefined);
});
