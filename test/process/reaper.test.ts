// Shows how the ends of children that Node does not know of are reported: many at once, by signals without a name, beside Node's own children.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import t from 'tap';
import { ChildReaper, decodeStatus } from '../../src/process/child-reaper.js';
import { loadLibc } from '../../src/process/libc.js';
import { countOpenDescriptors } from '../../src/process/open-descriptors.js';
import type { ExitStatus } from '../../src/process/os-process.js';
import { ownChild } from '../../src/process/own-children.js';
import { startPipeProcess } from '../../src/process/pipe-process.js';
import { readProcEntry, readProcTable } from '../../src/process/proc-table.js';
import { ENVIRONMENT, run, start, TERMINAL } from './start.js';

const libc = await loadLibc();
const { spawnChild } = libc;
const NO_SPAWN_CALL = spawnChild === undefined && 'the C library cannot be called';

// One test at a time, because descriptors and children are counted.
t.jobs = 1;

t.before(async () => {
  for (const options of [{}, { tty: TERMINAL }]) await run({ argv: ['true'], ...options });
});

t.test('posix_spawn can be called on a Linux with a C library of this decade', async (t) => {
  t.type(spawnChild, process.platform === 'linux' ? 'function' : 'undefined');
});

t.test('status says the exit code, the signal, or the number of a signal without a name', async (t) => {
  t.same(decodeStatus(0), { exitCode: 0, signal: null });
  t.same(decodeStatus(255 << 8), { exitCode: 255, signal: null });
  t.same(decodeStatus(9), { exitCode: null, signal: 'SIGKILL' });
  t.same(decodeStatus(6 | 0x80), { exitCode: null, signal: 'SIGABRT' }, 'with a core dump');
  t.same(decodeStatus(32), { exitCode: null, signal: 'SIGCANCEL', signalNumber: 32 });
  t.same(decodeStatus(34), { exitCode: null, signal: 'SIGRTMIN', signalNumber: 34 });
  t.same(decodeStatus(64), { exitCode: null, signal: 'SIGRTMIN+30', signalNumber: 64 });
});

t.test('look reports every end once when one signal stands for several', async (t) => {
  const raw = new Map<number, number | null>();
  const reaped: number[] = [];
  const reaper = new ChildReaper({ peek: (pid) => raw.get(pid), reap: (pid) => reaped.push(pid) });
  const told: [number, ExitStatus][] = [];
  const [first, second, third] = [11, 12, 13].map((pid) => reaper.watch(pid, (status) => told.push([pid, status])));
  await new Promise((resolve) => setImmediate(resolve));
  reaper.look();
  t.same(told, []);
  raw.set(11, 3 << 8).set(13, null);
  t.same([first?.hasEnded(), second?.hasEnded()], [true, false], 'known before the end is reported');
  reaper.look();
  reaper.look();
  t.same(told, [
    [11, { exitCode: 3, signal: null }],
    [13, { exitCode: 255, signal: null }],
  ]);
  raw.set(12, 15);
  process.emit('SIGCHLD', 'SIGCHLD');
  process.emit('SIGCHLD', 'SIGCHLD');
  await new Promise((resolve) => setImmediate(resolve));
  t.same(told[2], [12, { exitCode: null, signal: 'SIGTERM' }]);

  t.same(reaped, [], 'no child is reaped while its number is needed');
  for (const pid of [11, 12, 13]) t.equal(ownChild(pid)?.isReaped, false);
  first?.release();
  first?.release();
  t.same(reaped, [11]);
  t.equal(ownChild(11), undefined);
  for (const child of [second, third]) child?.release();
});

t.test('child that is released before its end is reaped at its end', async (t) => {
  let raw: number | undefined;
  const reaped: number[] = [];
  const reaper = new ChildReaper({ peek: () => raw, reap: (pid) => reaped.push(pid) });
  const child = reaper.watch(11, () => {});
  child.release();
  reaper.look();
  t.same([reaped, child.isReaped], [[], false]);
  raw = 0;
  reaper.look();
  t.same([reaped, child.isReaped], [[11], true]);
});

t.test('end is reported when the child had ended before its pid was known', async (t) => {
  const reaper = new ChildReaper({ peek: (pid) => (pid === 21 ? 7 << 8 : null), reap: () => {} });
  const status = await new Promise((resolve) => {
    let isWatching = true;
    reaper.watch(21, (end) => {
      t.notOk(isWatching, 'never from within watch');
      resolve(end);
    });
    isWatching = false;
  });
  t.same(status, { exitCode: 7, signal: null });
});

t.test('name of a real-time signal is reported when it ends a child', { skip: NO_SPAWN_CALL }, async (t) => {
  for (const options of [{}, { tty: TERMINAL }]) {
    for (const [number, signal] of [
      [32, 'SIGCANCEL'],
      [34, 'SIGRTMIN'],
      [36, 'SIGRTMIN+2'],
    ] as const) {
      const { status } = await run({ argv: ['sh', '-c', `kill -${number} $$`], ...options });
      t.same(status, { exitCode: null, signal, signalNumber: number });
    }
  }
});

t.test('event loop stays alive until a child that has closed its output has ended', async (t) => {
  const running = await start({ argv: ['sh', '-c', 'exec >&- 2>&-; sleep 0.3; exit 4'] });
  t.same(await running.done, { exitCode: 4, signal: null });
});

t.test('child is reaped at its end when it was disposed of before', async (t) => {
  const running = await start({ argv: ['sleep', '60'] });
  running.process.dispose();
  process.kill(running.process.pid, 'SIGKILL');
  // If one look finds several ends, they are reported in the order of the starts. So when a later process has ended, so has this one.
  for (let i = 0; i < 100 && readProcEntry(running.process.pid) !== undefined; i += 1) await run({ argv: ['true'] });
  t.equal(readProcEntry(running.process.pid), undefined);
});

t.test("children of Node's own and on terminals end with their own status beside a flood of others", async (t) => {
  const before = countOpenDescriptors();
  const codes: number[] = [];
  let next = 0;
  const flood = async (): Promise<void> => {
    for (let i = next++; i < 1000; i = next++) {
      const { status } = await run({ argv: ['sh', '-c', `exit ${i % 200}`] });
      if (status.exitCode !== i % 200) codes.push(i);
    }
  };
  const byNode = async (): Promise<void> => {
    for (let i = 0; i < 40; i += 1) {
      const child = spawn('sh', ['-c', `exit ${i}`], { stdio: 'ignore' });
      t.same(await once(child, 'exit'), [i, null]);
    }
  };
  const onTerminals = async (): Promise<void> => {
    for (let i = 0; i < 40; i += 1) {
      const { status } = await run({ argv: ['sh', '-c', `exit ${i}`], tty: TERMINAL });
      t.same(status, { exitCode: i, signal: null });
    }
  };
  await Promise.all([...Array.from({ length: 16 }, flood), byNode(), onTerminals()]);
  t.same(codes, []);
  t.same(
    readProcTable().filter(({ parent, alive }) => parent === process.pid && !alive),
    [],
    'no zombie is left',
  );
  t.equal(countOpenDescriptors(), before);
});

t.test('child gets long arguments and any text unchanged', { skip: NO_SPAWN_CALL }, async (t) => {
  const args = ['', 'ü€😀', '-', 'a b\n', 'x'.repeat(131_000)];
  const many = Array.from({ length: 10 }, () => 'y'.repeat(100_000));
  const env = { ...ENVIRONMENT, EMPTY: '', TEXT: 'ä=ö' };
  const script = 'printf "%s|" "$@" | md5sum; printf "%s|%s" "$EMPTY" "$TEXT"';
  const { text } = await run({ argv: ['sh', '-c', script, 'sh', ...args, ...many], env });
  const wanted = createHash('md5')
    .update([...args, ...many].map((word) => `${word}|`).join(''))
    .digest('hex');
  t.match(text(), wanted);
  t.match(Buffer.from(text(), 'latin1').toString(), '|ä=ö');
});

t.test('failed exec leaves no descriptor, no child and no message', { skip: NO_SPAWN_CALL }, async (t) => {
  const before = readdirSync('/proc/self/fd').length;
  for (const [file, cwd, errno] of [
    ['/no/such', '/', 'ENOENT'],
    ['/bin/sh', '/no/such', 'ENOENT'],
    ['/tmp', '/', 'EACCES'],
    ['/bin/sh/x', '/', 'ENOTDIR'],
  ] as const) {
    const spec = { file, argv: [file], cwd, env: {}, streams: { stdin: undefined, stdout: 1, stderr: 2 } };
    const result = await spawnChild?.(spec, () => t.fail('an exit of a child that was not started'));
    t.equal(getSystemErrorName(result ?? 0), errno, cwd + file);
  }
  t.equal(readdirSync('/proc/self/fd').length, before);
});

t.test("process on real pipes is started by Node's own spawn when posix_spawn cannot be called", async (t) => {
  const spec = { argv: ['sh', '-c', 'cat; exit 6'], file: '/bin/sh', cwd: '/', env: ENVIRONMENT, stdin: true } as const;
  const before = countOpenDescriptors();
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const note = (event: string): void => {
      if (said.push(event) === 4) resolve();
    };
    const events = {
      onOutput: (stream: string, chunk: Buffer) => note(`${stream}: ${chunk}`),
      onOutputEnd: (stream: string) => note(`end of ${stream}`),
      onExit: (status: ExitStatus) => note(`exit ${status.exitCode}`),
    };
    startPipeProcess(spec, events, { ...libc, spawnChild: undefined }).then(({ stdin }) => {
      stdin?.write(Buffer.from('hello'), (error) => t.equal(error, undefined));
      stdin?.end();
    }, reject);
  });
  t.same(said.toSorted(), ['end of stderr', 'end of stdout', 'exit 6', 'stdout: hello']);
  t.equal(countOpenDescriptors(), before);
});
