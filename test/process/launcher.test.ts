// Shows what the launcher of the runtime folder does: it starts Node with the folder's own loader, becomes another user, and stands in for the shell of the guardian.
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MARKER_VARIABLE } from '../../src/process/environment.js';
import { createGuardian, launcherProgram } from '../../src/process/guardian.js';
import { addChildReapedElsewhere } from '../../src/process/own-children.js';
import { readProcEntry } from '../../src/process/proc-table.js';
import { withUser, withUserInDirectory } from '../../src/process/run-as.js';
import { treeTarget } from '../../src/process/tree-scan.js';
import { launcherFolder, NO_LAUNCHER, TEST_LOADER } from '../support/launcher.js';
import { until } from '../support/until.js';
import { findTree } from './find-tree.js';
import { ENVIRONMENT, run, start } from './start.js';

const NOT_ROOT = process.getuid?.() !== 0 && 'only root can run commands as another user';

t.test('launcher', { skip: NO_LAUNCHER }, async (t) => {
  const folder = launcherFolder(t);
  const launcher = join(folder, 'bin/execwire');
  const root = realpathSync(folder);
  mkdirSync(join(folder, 'lib'));
  const loader = join(folder, 'lib', TEST_LOADER);
  // Stands in for the loader: prints its arguments and what Node would see.
  writeFileSync(loader, '#!/bin/sh\nprintf "%s\\n" "$@"\necho --environment--\nenv\nread -r line || echo "read: $?"\n');
  chmodSync(loader, 0o755);
  const launch = (env: Record<string, string>, ...args: string[]) => {
    // By env(1), because tap changes NODE_OPTIONS of what it starts.
    const variables = Object.entries({ PATH: ENVIRONMENT.PATH, ...env }).map(([name, value]) => `${name}=${value}`);
    const { stdout } = spawnSync('env', ['-i', ...variables, launcher, ...args], { encoding: 'utf8' });
    const [words = '', seen = ''] = stdout.split('--environment--\n');
    const all = seen.split('\n').map((line): [string, string] => {
      const sign = line.indexOf('=');
      return [line.slice(0, sign), line.slice(sign + 1)];
    });
    return { words: words.trim().split('\n'), variables: Object.fromEntries(all) };
  };

  t.test("launcher starts the folder's Node with the folder's libraries, and passes all arguments on", async (t) => {
    const { words, variables } = launch({}, 'serve', '--listen', 'x y', '--', '');
    const own = ['--inhibit-cache', '--library-path', `${root}/lib`, '--argv0', 'execwire', `${root}/bin/node`, '--'];
    t.same(words.slice(0, 8), [...own, `${root}/app/dist/execwire.cjs`]);
    t.same(words.slice(8, 12), ['serve', '--listen', 'x y', '--']);
    t.equal(variables.EXECWIRE_RUNTIME, root);
    t.match(variables.EXECWIRE_DESCRIPTOR_LIMIT, /^(\d+|unlimited)$/);
  });

  t.test('launcher moves aside what Node and the loader must not see, and nothing else', async (t) => {
    const hidden = { NODE_OPTIONS: '--require=/a b', NODE_PATH: '/n', LD_AUDIT: '/l.so', OPENSSL_CONF: '/o' };
    const kept = { LD_LIBRARY_PATH: '/cuda', NODE_ENV: 'test', EXECWIRE_ASIDE_NODE_PATH: 'of another start' };
    const { variables } = launch({ ...hidden, ...kept });
    for (const [name, value] of Object.entries(hidden)) {
      t.equal(variables[name], undefined, name);
      t.equal(variables[`EXECWIRE_ASIDE_${name}`], value);
    }
    t.match(variables, { LD_LIBRARY_PATH: '/cuda', NODE_ENV: 'test' });
    const { variables: plain } = launch({ EXECWIRE_ASIDE_NODE_PATH: 'of another start' });
    t.equal(plain.EXECWIRE_ASIDE_NODE_PATH, undefined);
  });

  t.test('launcher says why it cannot start, and keeps a closed stream closed', async (t) => {
    const script = `"$1" <&- 2>&1`;
    const { stdout } = spawnSync('sh', ['-c', script, 'sh', launcher], { encoding: 'utf8' });
    t.match(stdout, /read: [12]\n/, 'reading is an error, and not the end of a file');
    chmodSync(loader, 0o644);
    const refused = spawnSync(launcher, [], { encoding: 'utf8' });
    chmodSync(loader, 0o755);
    t.match(refused, { status: 125, stderr: /mounted noexec\?: Permission denied/ });
  });

  t.test('launcher becomes the user with all groups when it is told to', { skip: NOT_ROOT }, async (t) => {
    process.env.EXECWIRE_RUNTIME = folder;
    t.teardown(() => {
      delete process.env.EXECWIRE_RUNTIME;
    });
    const runAs = { uid: 65534, gid: 65534, groups: [65534, 7], name: 'nobody' };
    const env = { ...ENVIRONMENT, LD_LIBRARY_PATH: '/nowhere', TMPDIR: '/there', KEPT: 'yes' };
    const argv: [string, ...string[]] = ['sh', '-c', 'id -u; id -g; id -G; echo $LD_LIBRARY_PATH $TMPDIR $KEPT; pwd'];
    const wanted = '65534\n65534\n65534 7\n/nowhere /there yes\n/usr\n';
    for (const change of [withUser, withUserInDirectory]) {
      const spec = change({ argv, env, runAs, cwd: '/usr', stdin: false });
      t.equal(spec.argv[0], launcher);
      t.notOk(Object.hasOwn(spec.env, 'LD_LIBRARY_PATH'), 'no loader sees it before the user does');
      const { status, stdout } = spawnSync(spec.argv[0], spec.argv.slice(1), {
        encoding: 'utf8',
        env: spec.env as Record<string, string>,
        cwd: spec.cwd,
      });
      t.same({ status, stdout }, { status: 0, stdout: wanted });
    }
    t.equal((await run({ argv, env, runAs, cwd: '/usr' })).text(), wanted, 'and so does a start');
  });

  t.test(
    'launcher becomes nobody when its numbers are wrong, or the program cannot be run',
    { skip: NOT_ROOT },
    async (t) => {
      const as = (...args: string[]) => spawnSync(launcher, ['@as', ...args], { encoding: 'utf8' });
      for (const number of ['', '-1', '4294967295', '1x', 'root']) {
        t.match(
          as(number, '1', '1', '', '--', 'id'),
          { status: 125, stdout: '', stderr: /no number/ },
          `uid "${number}"`,
        );
        t.match(as('1', '1', `1,${number}`, '', '--', 'id'), { status: number === '' ? 0 : 125 }, `group "${number}"`);
      }
      t.match(as('1', '1', '1', ''), { status: 125, stderr: /@as UID GID/ });
      t.match(as('1', '1', '1', '', '--', '/no/such'), { status: 127, stderr: /\/no\/such: No such file/ });
      t.match(as('1', '1', '1', '', '--', '/etc/passwd'), { status: 126, stderr: /Permission denied/ });
      t.match(as('65534', '65534', '65534', '/root', '--', 'id'), { status: 126, stderr: /\/root: Permission denied/ });
      const script = join(folder, 'script');
      writeFileSync(script, 'echo "$0 $1"\n', { mode: 0o755 });
      t.equal(
        as('0', '0', '0', '', '--', script, 'x').stdout,
        `${script} x\n`,
        'a file that is no program is a script',
      );
    },
  );

  /** Runs the guardian with these lines and then the end of its input, as when the server has ended. */
  async function guard(marker: string, lines: string): Promise<void> {
    const guardian = spawn(launcher, ['@guardian', marker], { stdio: ['pipe', 'ignore', 'inherit'], env: {} });
    const reaped = addChildReapedElsewhere(guardian.pid ?? 0);
    guardian.stdin.end(lines);
    await once(guardian, 'exit');
    reaped();
  }

  t.test('launcher as guardian kills all that has the marker, and their relatives', async (t) => {
    const marker = `${randomUUID()}.1`;
    const env = { [MARKER_VARIABLE]: marker, ...ENVIRONMENT, LONG: 'x'.repeat(100_000) };
    const script = `trap '' TERM HUP; setsid sleep 600 & (setsid sleep 600 &); env -u ${MARKER_VARIABLE} sleep 600 & echo ready; while :; do sleep 1; done`;
    const running = await start({ argv: ['sh', '-c', script], env });
    await running.said('ready');
    const tree = findTree([treeTarget([running.process.pid], marker)]);
    t.equal(tree.length >= 4, true);
    await guard(`${MARKER_VARIABLE}=${marker}`, '');
    await running.done;
    await until('all are gone', () => tree.every((pid) => readProcEntry(pid)?.alive !== true));
  });

  t.test('launcher as guardian kills no process that has the number of an ended command', async (t) => {
    const argv: [string, ...string[]] = ['sh', '-c', 'sleep 600 & echo ready; exec sleep 600'];
    const strangers = await Promise.all([1, 2].map(() => start({ argv })));
    await Promise.all(strangers.map((stranger) => stranger.said('ready')));
    const [first, second] = strangers.map(({ process: { pid } }) => readProcEntry(pid));
    if (first?.startTime === undefined || second?.startTime === undefined) throw new Error('not started');
    const own = `+${process.pid} 0\n-${process.pid}\n`;
    const forgotten = `+${first.pid} ${first.startTime - 1}\n+${second.pid} ${second.startTime}\n-${second.pid}\n`;
    await guard('NOBODY=1', `${own}${forgotten}+0 0\n+1 0\n+-1 0\nnonsense\n`);
    for (const { pid } of [first, second]) t.equal(readProcEntry(pid)?.alive, true);
    await guard('NOBODY=1', `+${first.pid} ${first.startTime}\n+${second.pid} ${second.startTime}\n`);
    await Promise.all(strangers.map(({ done }) => done));
    t.pass('with the right start time both are killed with their groups');
  });

  t.test('launcher is the guardian of a server that runs from its folder', async (t) => {
    const program = launcherProgram(launcher);
    const guardian = createGuardian({ serverMarker: `${randomUUID()}.`, onProblem: (text) => t.fail(text), program });
    guardian.start();
    const { pid = 0 } = guardian;
    t.equal(realpathSync(`/proc/${pid}/exe`), realpathSync(launcher));
    guardian.dispose();
    await until('the guardian has ended', () => readProcEntry(pid)?.alive !== true);
  });
});
