// Shows what makes a start fail or differ: programs, directories, limits, users, a host without real pipes. Knows no server.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import t from 'tap';
import type { Libc } from '../../src/process/libc.js';
import { countOpenDescriptors, descriptorLimit } from '../../src/process/open-descriptors.js';
import { type OsProcess, SpawnError } from '../../src/process/os-process.js';
import { startPipeProcess } from '../../src/process/pipe-process.js';
import { ENVIRONMENT, run, type Start, start, TERMINAL, write } from './start.js';

const KINDS = [
  { kind: 'pipes', options: {} },
  { kind: 'a terminal', options: { tty: TERMINAL } },
] as const;

// One test at a time, because descriptors are counted.
t.jobs = 1;

// The native libraries keep descriptors and threads from their first use on.
t.before(async () => {
  for (const { options } of KINDS) await run({ argv: ['true'], ...options });
});

for (const { kind, options } of KINDS) {
  t.test(`start on ${kind} is refused with the errno when the program or its directory cannot be used`, async (t) => {
    const dir = t.testdir({ plain: 'x', script: '#!/no/such/interpreter\n', secret: {} });
    chmodSync(`${dir}/script`, 0o755);
    const binary = readFileSync('/bin/true')
      .toString('latin1')
      .replace(/\/lib[^\0]*\/ld-/, (loader) => loader.replace('lib', 'nil'));
    writeFileSync(`${dir}/binary`, Buffer.from(binary, 'latin1'), { mode: 0o755 });
    const before = countOpenDescriptors();
    const cases: [Start, string][] = [
      [{ argv: ['no-such-program'] }, 'ENOENT'],
      [{ argv: ['/no/such/program'] }, 'ENOENT'],
      [{ argv: [''] }, 'ENOENT'],
      [{ argv: [`${dir}/plain`] }, 'EACCES'],
      [{ argv: [dir] }, 'EACCES'],
      [{ argv: [`${dir}/plain/below`] }, 'ENOTDIR'],
      [{ argv: [`${dir}/script`] }, 'ENOENT'],
      [{ argv: [`${dir}/binary`] }, 'ENOENT'],
      [{ argv: ['true'], cwd: `${dir}/missing` }, 'ENOENT'],
      [{ argv: ['true'], cwd: `${dir}/plain` }, 'ENOTDIR'],
      [{ argv: ['tr\0ue'] }, 'EINVAL'],
      [{ argv: ['true'], cwd: '/tmp\0' }, 'EINVAL'],
      [{ argv: ['true'], env: { 'A=B': 'c' } }, 'EINVAL'],
      [{ argv: ['true'], env: { '': 'c' } }, 'EINVAL'],
      [{ argv: ['true'], env: { A: 'c\0' } }, 'EINVAL'],
      [{ argv: ['true', 'x'.repeat(200_000)] }, 'E2BIG'],
      [{ argv: ['true', ...Array.from({ length: 100 }, () => 'x'.repeat(100_000))] }, 'E2BIG'],
      [{ argv: ['true'], env: { PATH: '/no/such/directory' } }, 'ENOENT'],
    ];
    for (const [spec, errno] of cases) {
      const refusal = await start({ ...spec, ...options }).then(
        () => undefined,
        (error: unknown) => error,
      );
      t.ok(refusal instanceof SpawnError, `a SpawnError for ${spec.argv[0].slice(0, 40)}`);
      t.equal(refusal instanceof SpawnError && refusal.errno, errno, spec.argv[0].slice(0, 40));
    }
    t.equal(countOpenDescriptors(), before);
  });

  t.test(
    `program on ${kind} is found by the child's PATH and directory when they differ from the server's`,
    async (t) => {
      const dir = t.testdir({ bin: {} });
      mkdirSync(`${dir}/bin/hidden`);
      writeFileSync(`${dir}/bin/only-here`, '#!/bin/sh\necho found "$0"\n', { mode: 0o755 });
      writeFileSync(`${dir}/bin/no-shebang`, 'echo plain script\n', { mode: 0o755 });
      const found = await run({ argv: ['only-here'], cwd: dir, env: { PATH: 'bin:/usr/bin:/bin' }, ...options });
      t.match(found.text(), /^found bin\/only-here/);
      const relative = await run({ argv: ['./only-here'], cwd: `${dir}/bin`, ...options });
      t.match(relative.text(), /^found \.\/only-here/);
      const plain = await run({ argv: ['./no-shebang'], cwd: `${dir}/bin`, ...options });
      t.match(plain.text(), /^plain script/);
      const noPath = await run({ argv: ['true'], env: {}, ...options });
      t.equal(noPath.status.exitCode, 0);
    },
  );
}

t.test(
  'start is refused with EMFILE when no descriptor is left',
  { skip: process.platform !== 'linux' && 'needs Linux' },
  async (t) => {
    const limit = (soft: string): void => {
      const { status } = spawnSync('prlimit', [`--pid=${process.pid}`, `--nofile=${soft}`]);
      t.equal(status, 0);
    };
    const before = countOpenDescriptors() ?? 0;
    const soft = descriptorLimit();
    // The test takes all descriptors that the lowered limit leaves, and closes them before prlimit, which needs some, raises the limit again.
    const fillers: number[] = [];
    limit(`${before + 60}:`);
    try {
      for (let i = 0; i < 100; i += 1) fillers.push(openSync('/dev/null', 'r'));
    } catch {
      // Full.
    }
    for (const { kind, options } of KINDS) {
      await t.rejects(start({ argv: ['true'], ...options }), { name: 'SpawnError', errno: 'EMFILE' }, kind);
    }
    for (const fd of fillers) closeSync(fd);
    limit(`${soft}:`);
    t.equal(countOpenDescriptors(), before);
  },
);

t.test('process on sockets reads, writes and is cut as one on pipes when the host has no real pipes', async (t) => {
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
  const before = countOpenDescriptors();
  const events: string[] = [];
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    const note = (event: string): void => {
      events.push(event);
      if (events.length === 3) resolve();
    };
    startPipeProcess(
      { argv: ['sh', '-c', 'cat; yes & sleep 600'], file: '/bin/sh', cwd: '/tmp', env: ENVIRONMENT, stdin: true },
      {
        onOutput(stream, chunk) {
          bytes += chunk.length;
          // More bytes than were written are output of `yes`, which the cut ends.
          if (bytes <= 3_000_000 || events.length > 0) return;
          started?.pauseOutput(stream);
          note('paused');
          process.kill(-(started?.pid ?? 0), 'SIGKILL');
          started?.cutOutput('stdout');
        },
        onOutputEnd: (stream) => note(`end of ${stream}`),
        onExit() {},
      },
      libc,
    ).then((value) => {
      started = value;
      value.stdin?.write(Buffer.alloc(3_000_000), (error) => t.equal(error, undefined));
      value.stdin?.end();
    }, reject);
    let started: OsProcess | undefined;
  });
  t.same(events.toSorted(), ['end of stderr', 'end of stdout', 'paused']);
  t.equal(countOpenDescriptors(), before);
});

t.test('child has the wanted OOM score when one is given', async (t) => {
  const running = await start({
    argv: ['sh', '-c', 'read x; cat /proc/self/oom_score_adj'],
    stdin: true,
    oomScoreAdj: 321,
  });
  await write(running, '\n');
  await running.done;
  t.equal(running.text(), '321\n');
});

t.test(
  'command has the groups of its user when it runs as another user',
  { skip: process.getuid?.() !== 0 && 'only root can run commands as another user' },
  async (t) => {
    const runAs = { uid: 65534, gid: 65534, groups: [65534], name: 'nobody' };
    for (const { options } of KINDS) {
      const { text, status } = await run({
        argv: ['sh', '-c', 'id -u; id -g; id -G; echo named > /dev/stdout'],
        cwd: '/',
        runAs,
        ...options,
      });
      t.match(text().replaceAll('\r', ''), '65534\n65534\n65534\nnamed\n');
      t.equal(status.exitCode, 0);
      // Here no thread has the user's rights, so a shell that runs as the user enters the directory.
      const closed = mkdtempSync('/var/tmp/execwire-starts-');
      t.teardown(() => rmSync(closed, { recursive: true }));
      const refused = await run({ argv: ['echo', 'there'], cwd: closed, runAs, ...options });
      t.match(refused.status, { exitCode: 2 });
      t.notMatch(refused.text(), /there/);
    }
  },
);

t.test(
  'no variable is read by root when a command runs as another user, and the command has them all',
  { skip: process.getuid?.() !== 0 && 'only root can run commands as another user' },
  async (t) => {
    const base = mkdtempSync('/var/tmp/execwire-starts-');
    t.teardown(() => rmSync(base, { recursive: true }));
    chmodSync(base, 0o777);
    const runAs = { uid: 65534, gid: 65534, groups: [65534], name: 'nobody' };
    for (const { options } of KINDS) {
      // With these variables glibc's loader writes a file as the user that it runs as. LD_PRELOAD would run code as that user.
      const late = { LD_DEBUG: 'files', LD_DEBUG_OUTPUT: `${base}/trace`, TMPDIR: base, LOCPATH: 'a=b' };
      const argv: [string, ...string[]] = ['/bin/sh', '-c', 'echo "$TMPDIR $LOCPATH $KEPT $1"', 'sh', '-x'];
      for (const cwd of [undefined, '/']) {
        const { text } = await run({ argv, cwd, runAs, env: { ...ENVIRONMENT, ...late, KEPT: 'yes' }, ...options });
        t.match(text(), `${base} a=b yes -x`);
        const owners = readdirSync(base).map((name) => statSync(`${base}/${name}`).uid);
        t.ok(owners.length > 0, 'the variable has its effect');
        t.same(new Set(owners), new Set([65534]));
        for (const name of readdirSync(base)) rmSync(`${base}/${name}`);
      }
    }
  },
);

t.test(
  'terminal belongs to the user of its command before the command runs',
  { skip: process.getuid?.() !== 0 && 'only root can run commands as another user' },
  async (t) => {
    const runAs = { uid: 65534, gid: 65534, groups: [65534], name: 'nobody' };
    const lost: string[] = [];
    await Promise.all(
      Array.from({ length: 40 }, async () => {
        const { text } = await run({ argv: ['sh', '-c', 'echo named > /dev/stdout'], cwd: '/', runAs, tty: TERMINAL });
        if (text() !== 'named\r\n') lost.push(text());
      }),
    );
    t.same(lost, []);
  },
);
