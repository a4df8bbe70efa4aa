// Shows kills of real process trees, by the server and by the guardian that outlives it. Knows no request.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MARKER_VARIABLE } from '../../src/process/environment.js';
import { createGuardian, shellProgram } from '../../src/process/guardian.js';
import { killUntilGone, signalTree } from '../../src/process/kill-until-gone.js';
import { readProcEntry, readProcTable } from '../../src/process/proc-table.js';
import { signalGroup } from '../../src/process/process-signals.js';
import { treeTarget } from '../../src/process/tree-scan.js';
import { childEnvironment } from '../support/child-environment.js';
import { until } from '../support/until.js';
import { findTree } from './find-tree.js';
import { builtScripts } from './sandbox/built-scripts.js';
import { type Running, start, TERMINAL } from './start.js';

t.jobs = 1;

const [FIXTURE] = await builtScripts('test/fixtures/guarded-server.ts');

/** Each prints `ready` when its tree is complete. */
const TREES: readonly (readonly [name: string, script: string])[] = [
  ['a single process', 'echo ready; exec sleep 600'],
  ['children in its group', 'sleep 600 & sleep 600 & echo ready; wait'],
  ['a child in its own session', 'setsid sleep 600 & echo ready; wait'],
  ['a double fork into its own session', '(setsid sh -c "sleep 600 & sleep 600" &) ; echo ready; sleep 600'],
  [
    'a tree that ignores TERM and HUP',
    `trap '' TERM HUP; (trap '' TERM HUP; sleep 600) & echo ready; while :; do sleep 1; done`,
  ],
  ['job-control jobs', 'set -m; sleep 600 & sleep 600 | cat & echo ready; wait'],
  ['stopped jobs', 'set -m; sleep 600 & kill -STOP $!; echo ready; while :; do sleep 1; done'],
  ['a leader that has ended', 'trap "" HUP; (setsid sleep 600 &); sleep 600 & echo ready; exit 0'],
  [
    'a name that looks like a stat line',
    'cp "$(command -v sleep)" "./a) R 1 (b"; "./a) R 1 (b" 600 & echo ready; wait',
  ],
  ['a child without the marker in its own session', `env -u ${MARKER_VARIABLE} setsid sleep 600 & echo ready; wait`],
];

async function startMarked(
  script: string,
  marker: string,
  options: Partial<Parameters<typeof start>[0]> = {},
): Promise<Running> {
  const env = childEnvironment({ overrides: {}, marker, tty: false });
  const running = await start({ argv: ['bash', '-c', script], env, ...options });
  await running.said('ready');
  return running;
}

/** Living processes whose environment names this marker. */
function marked(marker: string): number[] {
  const carries = (pid: number): boolean => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`${MARKER_VARIABLE}=${marker}`);
    } catch {
      return false;
    }
  };
  return readProcTable()
    .filter(({ pid, alive }) => alive && carries(pid))
    .map(({ pid }) => pid);
}

for (const options of [{}, { tty: TERMINAL }]) {
  const kind = 'tty' in options ? 'a terminal' : 'pipes';
  for (const [name, script] of TREES) {
    t.test(`killUntilGone leaves no process when a command on ${kind} has ${name}`, async (t) => {
      const marker = `${randomUUID()}.1`;
      const bystander = await startMarked('echo ready; exec sleep 600', `${randomUUID()}.1`);
      const running = await startMarked(script, marker, { cwd: t.testdir({}), ...options });
      const target = treeTarget([running.process.pid], marker);
      const found = findTree([target]);
      t.ok(found.length > 0);
      t.same(await killUntilGone([target]), []);
      t.same(marked(marker), []);
      for (const pid of found) t.not(readProcEntry(pid)?.alive, true);
      await running.done;
      t.equal(readProcEntry(bystander.process.pid)?.alive, true, 'another command lives on');
      t.same(await killUntilGone([treeTarget([bystander.process.pid], 'none')]), []);
      await bystander.done;
    });
  }
}

t.test('killUntilGone leaves no process when a tree forks as fast as it can', async (t) => {
  const marker = `${randomUUID()}.1`;
  const script = 'echo ready; for i in $(seq 1000); do (sleep 600 & sleep 600) & done; wait';
  const running = await startMarked(script, marker);
  t.same(await killUntilGone([treeTarget([running.process.pid], marker)]), []);
  t.same(marked(marker), []);
  await running.done;
});

t.test('signalTree sends a signal other than SIGKILL once and lets the command end itself', async (t) => {
  const marker = `${randomUUID()}.1`;
  const script = `trap 'echo got; exit 3' TERM; setsid sleep 600 & echo ready; while :; do sleep 0.01; done`;
  const running = await startMarked(script, marker);
  signalTree([treeTarget([running.process.pid], marker)], 'SIGTERM');
  t.same(await running.done, { exitCode: 3, signal: null });
  t.equal(running.text(), 'ready\ngot\n');
  // A shell that has just forked may lose a TERM between its own trap and the program.
  t.same(await killUntilGone([treeTarget([running.process.pid], marker)]), []);
});

t.test('killUntilGone kills no process when its target is this process, init or gone', async (t) => {
  for (const pid of [process.pid, 1, 0, -1, Number.NaN]) t.same(await killUntilGone([treeTarget([pid], 'none')]), []);
  const over = await start({ argv: ['true'] });
  await over.done;
  t.same(await killUntilGone([treeTarget([over.process.pid], 'none')]), []);
});

t.test('signalGroup kills the rest of a group when its leader has ended', async (t) => {
  const running = await start({ argv: ['sh', '-c', 'sleep 600 & echo ready'] });
  await running.exit;
  t.equal(signalGroup(running.process.pid, 'SIGKILL'), true);
  await running.done;
  for (const pid of [process.pid, 1, 0]) t.equal(signalGroup(pid, 'SIGKILL'), false);
});

interface SmallServer {
  readonly pid: number;
  readonly guardian: number;
  /** Pids of its commands. */
  readonly commands: readonly number[];
  /** Kills the server with SIGKILL. */
  crash(): Promise<void>;
  /** Lets the server kill itself with SIGKILL when it has done the work of the present turn. */
  crashSoon(): Promise<void>;
}

/** @param ending `dispose`: the server ends in good order at once; `wait`: it runs on */
async function startServer(marker: string, script: string, ending: 'dispose' | 'wait'): Promise<SmallServer> {
  const args = [FIXTURE, marker, script, ending];
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: process.cwd() });
  let text = '';
  for await (const chunk of server.stdout) {
    text += chunk;
    if (text.includes('\n')) break;
  }
  const [, guardian, commands = ''] = /guardian=(\d+) commands=([\d,]+)/.exec(text) ?? [];
  return {
    pid: server.pid ?? 0,
    guardian: Number(guardian),
    commands: commands.split(',').map(Number),
    async crash() {
      server.kill('SIGKILL');
      await once(server, 'exit');
    },
    async crashSoon() {
      server.kill('SIGUSR2');
      await once(server, 'exit');
    },
  };
}

function isAlive(pid: number): boolean {
  return readProcEntry(pid)?.alive === true;
}

function isMarked(pid: number): boolean {
  return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(MARKER_VARIABLE);
}

function isGuardian(pid: number): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'latin1').match(/execwire-guardian|@guardian/) !== null;
}

t.test('guardian leaves no process when the server is killed with SIGKILL', async (t) => {
  const marker = `${randomUUID()}.`;
  const script = `trap '' TERM HUP; setsid sleep 600 & (setsid sleep 600 &); sleep 600 & env -u ${MARKER_VARIABLE} setsid --wait sleep 600 & echo ready; while :; do sleep 1; done`;
  const { pid, guardian, crash } = await startServer(marker, script, 'wait');
  t.ok(guardian > 1);
  await crash();
  t.equal(readProcEntry(pid), undefined);
  await until('no command is left', () => [...marked(`${marker}0`), ...marked(`${marker}1`)].length === 0);
  await until('the guardian has ended', () => !isAlive(guardian));
});

t.test('guardian kills no process and ends when the server ends in good order', async (t) => {
  const marker = `${randomUUID()}.`;
  const { guardian } = await startServer(marker, 'trap "" HUP; echo ready; exec sleep 600', 'dispose');
  await until('the guardian has ended', () => !isAlive(guardian));
  const left = [...marked(`${marker}0`), ...marked(`${marker}1`)];
  t.equal(left.length, 2);
  for (const pid of left) process.kill(pid, 'SIGKILL');
});

t.test('guardian holds no descriptor of the server, and is started again at once when it has died', async (t) => {
  const shell = await start({ argv: ['cat'], tty: TERMINAL });
  const problems: string[] = [];
  const guardian = createGuardian({ serverMarker: `${randomUUID()}.`, onProblem: (text) => problems.push(text) });
  t.teardown(() => guardian.dispose());
  t.equal(guardian.pid, undefined, 'no guardian is started before there is a process to watch');
  guardian.watch(shell.process.pid);
  const first = guardian.pid ?? 0;
  // While it starts it also holds the files of its program.
  await until('it holds only its standard streams', () => readdirSync(`/proc/${first}/fd`).length === 3);
  t.same(readdirSync(`/proc/${first}/fd`).toSorted(), ['0', '1', '2']);
  t.equal(readProcEntry(first)?.session, first);
  t.notMatch(readFileSync(`/proc/${first}/environ`, 'latin1'), MARKER_VARIABLE);
  // After each early death the next start waits longer, but it comes.
  let last = first;
  for (let death = 0; death < 4; death += 1) {
    process.kill(last, 'SIGKILL');
    await until('there is another guardian', () => guardian.pid !== undefined && guardian.pid !== last);
    last = guardian.pid ?? 0;
  }
  t.match(problems, [/ended \(SIGKILL\); it is started again at once$/], 'reported once');
  guardian.forget(shell.process.pid);
  guardian.dispose();
  shell.process.stdin?.end();
  await shell.done;
});

t.test('new guardian is told of all running commands when the first one has died', async () => {
  const marker = `${randomUUID()}.`;
  const server = await startServer(marker, `trap '' HUP; echo ready; exec env -u ${MARKER_VARIABLE} sleep 600`, 'wait');
  process.kill(server.guardian, 'SIGKILL');
  const guardians = (): number[] =>
    readProcTable()
      .filter((p) => p.parent === server.pid && p.alive && p.pid !== server.guardian && isGuardian(p.pid))
      .map((p) => p.pid);
  await until('there is another guardian', () => guardians().length === 1);
  // The commands have no mark, so that the guardian can find them only by their numbers.
  const left = server.commands;
  await until('the commands have no mark', () => left.length === 2 && left.every((pid) => !isMarked(pid)));
  // The server starts a guardian and tells it of the commands in the same turn.
  await server.crashSoon();
  await until('no command is left', () => !left.some(isAlive));
});

t.test('guardian ends when it was stopped and the server ends in good order', async (t) => {
  const guardian = createGuardian({ serverMarker: `${randomUUID()}.`, onProblem: (text) => t.fail(text) });
  guardian.start();
  const { pid = 0 } = guardian;
  process.kill(pid, 'SIGSTOP');
  guardian.dispose();
  await until('the guardian has ended', () => !isAlive(pid));
});

t.test('guardian is reported missing once, and tried again, when its shell cannot be started', async (t) => {
  const folder = t.testdir({});
  const shell = join(folder, 'sh');
  const problems: string[] = [];
  const guardian = createGuardian({
    serverMarker: 'm.',
    onProblem: (text) => problems.push(text),
    program: shellProgram(shell),
  });
  t.teardown(() => guardian.dispose());
  guardian.start();
  await until('the missing guardian is reported', () => problems.length === 1);
  t.match(problems[0], /it cannot be started: .*ENOENT/);
  symlinkSync('/bin/sh', shell);
  await until('the guardian runs', () => guardian.pid !== undefined);
  t.equal(problems.length, 1);
});
