// Shows how many more processes the limits leave, and that a terminal that has to be forked is refused near them.
import t from 'tap';
import type { Libc } from '../../src/process/libc.js';
import { ShortageError } from '../../src/process/os-process.js';
import { pidsLeft } from '../../src/process/pids-left.js';
import { startPtyProcess } from '../../src/process/pty-process.js';
import { ENVIRONMENT, TERMINAL } from './start.js';

function sources(files: Readonly<Record<string, string>>, threads?: number) {
  return { read: (path: string) => files[path], threadsOfUser: () => threads };
}

t.test('pidsLeft is the lowest of all bounds', async (t) => {
  t.equal(pidsLeft(sources({})), undefined);
  const second = {
    '/proc/self/cgroup': '0::/a/b\n',
    '/sys/fs/cgroup/a/b/pids.max': 'max\n',
    '/sys/fs/cgroup/a/b/pids.current': '7\n',
    '/sys/fs/cgroup/a/pids.max': '100\n',
    '/sys/fs/cgroup/a/pids.current': '70\n',
  };
  t.equal(pidsLeft(sources(second)), 30, 'the bound of a group above');
  const first = {
    '/proc/self/cgroup': '5:memory:/x\n4:pids:/x\n0::/\n',
    '/sys/fs/cgroup/pids/x/pids.max': '20',
    '/sys/fs/cgroup/pids/x/pids.current': '25',
  };
  t.equal(pidsLeft(sources(first)), 0, 'never below 0');
  const limits = {
    '/proc/self/limits': 'Max cpu time  unlimited\nMax processes             50        60    processes\n',
  };
  t.equal(pidsLeft(sources({ ...second, ...limits }, 40)), 10, "the bound of the user's limit");
  t.equal(pidsLeft(sources({ ...second, ...limits })), 30, 'the limit of a user does not bind root');
  const kernel = { '/proc/loadavg': '0.1 0.2 0.3 4/390 1234\n', '/proc/sys/kernel/pid_max': '400\n' };
  t.equal(pidsLeft(sources({ ...second, ...kernel })), 10);
});

t.test('pidsLeft finds a bound on this host', { skip: process.platform !== 'linux' && 'needs Linux' }, async (t) => {
  t.ok((pidsLeft() ?? 0) > 0);
});

/** A host where koffi cannot be used. */
const libc: Libc = {
  realPipes: false,
  reason: 'test',
  openPipe() {
    throw new Error('no pipe is asked for');
  },
  markAllCloseOnExec() {},
  denyDump: () => false,
  lastError: () => undefined,
};

t.test('terminal is forked when the C library cannot be called, and refused when few processes are left', async (t) => {
  const spec = { argv: ['sh', '-c', 'echo forked; kill -34 $$'], cwd: '/', env: ENVIRONMENT, stdin: true } as const;
  const ended = (left?: number): Promise<object> =>
    new Promise((resolve, reject) => {
      let text = '';
      let exit: object | undefined;
      let isOver = false;
      const tell = (): void => {
        if (isOver && exit !== undefined) resolve({ ...exit, text });
      };
      const events = {
        onOutput: (_: string, chunk: Buffer) => {
          text += chunk;
        },
        onOutputEnd: () => {
          isOver = true;
          tell();
        },
        onExit: (status: object) => {
          exit = status;
          tell();
        },
      };
      startPtyProcess({ ...spec, tty: TERMINAL }, events, libc, () => left).catch(reject);
    });
  await t.rejects(ended(63), new ShortageError('pids'));
  for (const left of [64, undefined]) {
    t.same(await ended(left), { exitCode: null, signal: 'SIGRTMIN', signalNumber: 34, text: 'forked\r\n' });
  }
});
