// Shows what a command gets from the server, and what it does not: variables, secrets, user, groups, OOM score.
// Long because each of them is tried by a command.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startServer, type TestServerOptions } from '../support/server.js';
import { SERVER, START_MS } from '../support/server-process.js';
import type { WireClient } from '../support/wire-client.js';

const isRoot = process.getuid?.() === 0;
const isLinux = process.platform === 'linux';
const NOBODY = 65534;
const AS_NOBODY = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--'];
/** Another user must be able to read the program. */
const canBeNobody =
  isRoot && spawnSync('setpriv', [...AS_NOBODY.slice(1), process.execPath, SERVER, '--version']).status === 0;
const ROOT_ONLY = isRoot ? false : 'needs root';
const NOBODY_ONLY = canBeNobody ? false : 'needs root, setpriv, and a checkout that everybody may read';

async function clientOf(t: Test, options: TestServerOptions): Promise<WireClient> {
  return (await clientAndServer(t, options)).client;
}

async function clientAndServer(
  t: Test,
  options: TestServerOptions,
): Promise<{ client: WireClient; serverPid: number }> {
  const server = await startServer(t, options);
  return { client: await server.session(), serverPid: server.pid };
}

/** Read from outside, because with `hidepid` a command does not see the server. */
function oomScoreOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'latin1'));
}

/** Real, effective, saved, and that of files. */
function uidsOf(statusFile: string): string {
  return /^Uid:\s+(.+)$/m.exec(readFileSync(statusFile, 'latin1'))?.[1]?.replaceAll('\t', ' ') ?? '';
}

/** Output of a shell script, on pipes and on a terminal. */
async function outputs(client: WireClient, script: string, env: Record<string, string | null> = {}): Promise<string[]> {
  const command = ['/bin/sh', '-c', script];
  const onPipes = await client.ask('command/exec', { command, env });
  let onTerminal = '';
  client.onOutput('terminal', (bytes) => {
    onTerminal += bytes.toString();
  });
  await client.ask('command/exec', { command, env, tty: true, processId: 'terminal' });
  return [onPipes.stdout + onPipes.stderr, onTerminal.replaceAll('\r\n', '\n')];
}

t.test('command has in its environment what flags and request say, and nothing of the server', async (t) => {
  const client = await clientOf(t, {
    flags: ['--env-allow', 'KEEP_*', '--env-allow', 'PATH', '--env-deny', '*_DENIED'],
    env: {
      KEEP_ME: 'kept',
      KEEP_DENIED: 'denied',
      DROP_ME: 'dropped',
      EXECWIRE_LOG_LEVEL: 'warn',
      OTEL_RESOURCE_ATTRIBUTES: 'token=secret',
      NOTIFY_SOCKET: '/nonexistent',
    },
  });
  for (const output of await outputs(client, 'env', { DROP_ME: 'set', ASKED_DENIED: 'set', PATH: null, TERM: 'x' })) {
    const names = output.split('\n').map((line) => line.split('=')[0]);
    t.match(output, /^KEEP_ME=kept$/m);
    t.match(output, /^DROP_ME=set$/m, 'what a request sets is never dropped');
    t.match(output, /^ASKED_DENIED=set$/m);
    for (const name of ['KEEP_DENIED', 'EXECWIRE_LOG_LEVEL', 'OTEL_RESOURCE_ATTRIBUTES', 'NOTIFY_SOCKET', 'HOME']) {
      t.notOk(names.includes(name), name);
    }
  }
});

t.test('command starts in the default directory when its request names none', async (t) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'execwire-')));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const client = await clientOf(t, { flags: ['--default-cwd', folder] });
  t.same(await outputs(client, 'pwd'), [`${folder}\n`, `${folder}\n`]);
  t.equal((await client.ask('command/exec', { command: ['/bin/pwd'], cwd: '/' })).stdout, '/\n');
  t.equal((await client.ask('command/exec', { command: ['/bin/pwd'], cwd: '..' })).stdout, `${join(folder, '..')}\n`);
});

t.test(
  "command cannot read the server's environment from /proc when it is not root",
  { skip: NOBODY_ONLY },
  async (t) => {
    const env = { SERVER_SECRET: 'the-secret-of-the-server' };
    const client = await clientOf(t, { through: AS_NOBODY, env, flags: ['--env-deny', 'SERVER_SECRET'], warm: false });
    // The very first command of the server, so that no earlier one could have prepared anything.
    const script = 'id -u; wc -c < /proc/$PPID/environ; wc -c < /proc/$PPID/mem; ls /proc/$PPID/fd | wc -l';
    for (const output of await outputs(client, script)) {
      t.match(output, /^65534$/m);
      // With `hidepid` the server's files are not even visible.
      for (const file of ['environ', 'mem', 'fd']) {
        t.match(output, new RegExp(`${file}.*(Permission denied|No such file)`), file);
      }
    }
    const everyone = await client.ask('command/exec', {
      command: ['/bin/sh', '-c', 'cat /proc/[0-9]*/environ 2>/dev/null'],
    });
    t.notMatch(everyone.stdout, /the-secret/, 'no other process shows it either, such as the guardian');
  },
);

t.test('command has user and groups of --run-as and no other', { skip: ROOT_ONLY }, async (t) => {
  const client = await clientOf(t, {
    // The server has groups that a command must not keep.
    through: ['setpriv', '--groups=0,4,24', '--'],
    flags: ['--run-as', 'nobody'],
  });
  const groups = spawnSync('id', ['-G', 'nobody'], { encoding: 'utf8' }).stdout.trim();
  const [home] = spawnSync('getent', ['passwd', 'nobody'], { encoding: 'utf8' }).stdout.split(':').slice(5);
  const script =
    'id -u; id -ru; id -G; echo $HOME $USER $LOGNAME; grep -E "^(CapEff|CapPrm)" /proc/self/status; ' +
    'echo named > /dev/stdout; cat /etc/shadow';
  for (const output of await outputs(client, script)) {
    const [uid, realUid, gids, names, ...rest] = output.split('\n');
    t.same([uid, realUid, gids, names], ['65534', '65534', groups, `${home} nobody nobody`]);
    t.match(rest.join('\n'), /CapPrm:\t0+\nCapEff:\t0+\n/, 'and no capability');
    t.match(rest.join('\n'), /^named$/m, 'its output can be opened by name');
    t.match(rest.join('\n'), /shadow: Permission denied/);
  }
  const [asked] = await outputs(client, 'echo $HOME', { HOME: '/asked' });
  t.equal(asked, '/asked\n', 'a request may set HOME');
});

t.test(
  'command is refused with the errno of its user when that user may not reach its directory or its program',
  { skip: ROOT_ONLY },
  async (t) => {
    const base = mkdtempSync('/var/tmp/execwire-run-as-');
    t.teardown(() => rmSync(base, { recursive: true }));
    // Only root may enter `closed`; the files in it are open to everyone.
    for (const folder of ['closed', 'closed/project', 'open', 'open/folder']) mkdirSync(join(base, folder));
    const script = (name: string, mode: number): void => {
      writeFileSync(join(base, name), '#!/bin/sh\nid -u\n');
      chmodSync(join(base, name), mode);
    };
    script('closed/project/program', 0o755);
    script('open/private', 0o700);
    script('open/public', 0o755);
    copyFileSync('/bin/true', join(base, 'open/unreadable'));
    chmodSync(join(base, 'open/unreadable'), 0o711);
    chmodSync(join(base, 'closed'), 0o700);
    chmodSync(join(base, 'open/folder'), 0o600);
    chmodSync(base, 0o755);

    const at = (path: string): string => join(base, path);
    const refused: readonly [what: string, params: { command: string[]; cwd?: string; env?: object }, errno: string][] =
      [
        ['directory behind a closed one', { command: ['/bin/pwd'], cwd: at('closed/project') }, 'EACCES'],
        ['missing directory behind a closed one', { command: ['/bin/pwd'], cwd: at('closed/missing') }, 'EACCES'],
        ['directory that may not be entered', { command: ['/bin/pwd'], cwd: at('open/folder') }, 'EACCES'],
        ['directory that is missing', { command: ['/bin/pwd'], cwd: at('open/missing') }, 'ENOENT'],
        ['directory that is a file', { command: ['/bin/pwd'], cwd: at('open/public') }, 'ENOTDIR'],
        ['program behind a closed directory', { command: [at('closed/project/program')] }, 'EACCES'],
        ['the same by PATH', { command: ['program'], env: { PATH: at('closed/project') } }, 'EACCES'],
        ['program that only root may run', { command: [at('open/private')] }, 'EACCES'],
        ['the same, relative to the directory', { command: ['./private'], cwd: at('open') }, 'EACCES'],
        ['program that is missing', { command: [at('open/missing')] }, 'ENOENT'],
      ];
    const server = await startServer(t, { flags: ['--run-as', 'nobody'], warm: false });
    const client = await server.session();
    const ways = [{}, { tty: true, processId: 't' }];
    const policies = [undefined, { type: 'readOnly' }, { type: 'workspaceWrite', writableRoots: [at('closed')] }];
    for (const sandboxPolicy of policies) {
      for (const way of ways) {
        const label = `${JSON.stringify(sandboxPolicy)} ${JSON.stringify(way)}`;
        const more = { ...way, ...(sandboxPolicy === undefined ? {} : { sandboxPolicy }) };
        for (const [what, { command, ...rest }, errno] of refused) {
          const { error } = await client.exec(command, { ...rest, ...more });
          t.match(error, { code: -32603, data: { errno } }, `${what}: ${label}`);
        }
        for (const params of [
          { command: ['./public'], cwd: at('open') },
          { command: ['./unreadable'], cwd: at('open') },
          { command: ['/bin/pwd'] },
        ]) {
          const { command, ...rest } = params;
          t.match((await client.exec(command, { ...rest, ...more })).result, { exitCode: 0 }, `${command} ${label}`);
        }
      }
    }
    const rights =
      'id -u; id -G; grep -E "^(CapEff|CapPrm|NoNewPrivs):" /proc/self/status; cat /etc/shadow; touch /etc/n';
    for (const sandboxPolicy of policies.slice(1)) {
      const { result } = await client.exec(['sh', '-c', rights], { sandboxPolicy });
      t.match(
        result.stdout,
        /^65534\n65534\nCapPrm:\t0+\nCapEff:\t0+\nNoNewPrivs:\t1\n$/,
        'the rights of the user and no others',
      );
      t.match(result.stderr, /shadow: Permission denied\n.*(Permission denied|Read-only)/);
    }
    const threads = readdirSync(`/proc/${server.pid}/task`);
    t.same(
      new Set(threads.map((thread) => uidsOf(`/proc/${server.pid}/task/${thread}/status`))),
      new Set(['0 0 0 0', '0 0 0 65534']),
      "threads are root's, and some have the user's rights on files",
    );
    const signals = `for t in ${threads.join(' ')}; do kill -0 $t && echo HIT; done; echo of ${threads.length}`;
    t.match(
      (await client.exec(['sh', '-c', signals])).result,
      { stdout: `of ${threads.length}\n` },
      'the user cannot signal any thread of the server',
    );
  },
);

t.test('no variable of a request is read by root when commands run as another user', { skip: ROOT_ONLY }, async (t) => {
  const base = mkdtempSync('/var/tmp/execwire-run-as-');
  t.teardown(() => rmSync(base, { recursive: true }));
  chmodSync(base, 0o777);
  const traces = (): string[] =>
    readdirSync(base)
      .filter((name) => name.startsWith('trace'))
      .map((name) => join(base, name));
  const server = await startServer(t, { flags: ['--run-as', 'nobody'], warm: false });
  const client = await server.session();
  // With these variables glibc's loader writes a file as the user that it runs as. LD_PRELOAD would run code as that user.
  const env = { LD_DEBUG: 'files', LD_DEBUG_OUTPUT: join(base, 'trace'), LD_BIND_NOW: 'a=b', TMPDIR: '/kept' };
  const command = ['/bin/sh', '-c', 'echo "$LD_BIND_NOW $TMPDIR $1"', 'sh', '-x'];
  for (const sandboxPolicy of [undefined, { type: 'workspaceWrite', writableRoots: [base] }]) {
    for (const way of [{}, { tty: true, processId: 't' }]) {
      const params = { env, ...way, ...(sandboxPolicy === undefined ? {} : { sandboxPolicy }) };
      const { result } = await client.exec(command, params);
      if (!('tty' in way)) t.match(result, { exitCode: 0, stdout: 'a=b /kept -x\n' }, 'the command has them all');
      const owners = traces().map((file) => statSync(file).uid);
      t.ok(owners.length > 0, 'the variable has its effect');
      t.same(new Set(owners), new Set([NOBODY]), JSON.stringify(params));
      for (const file of traces()) rmSync(file);
    }
  }
  const odd = join(base, 'a=b');
  writeFileSync(odd, '#!/bin/sh\necho "ran $1"\n');
  chmodSync(odd, 0o755);
  t.match((await client.exec([odd, 'c=d'], { env: { LD_BIND_NOW: '1' } })).result, { stdout: 'ran c=d\n' });
});

t.test('server does not start when it cannot run commands as the user', async (t) => {
  function start(through: readonly string[], ...flags: string[]): { status: number | null; stderr: string } {
    const serve = [process.execPath, SERVER, 'serve', '--listen', 'ws://127.0.0.1:0', ...flags];
    const [program = '', ...args] = [...through, ...serve];
    return spawnSync(program, args, { encoding: 'utf8', timeout: START_MS, killSignal: 'SIGKILL' });
  }
  const unknown = start([], '--run-as', 'no-such-user');
  t.equal(unknown.status, 1);
  t.match(unknown.stderr, /^execwire: cannot start: --run-as no-such-user: the host knows no such user$/m);
  await t.test('and is not root', { skip: NOBODY_ONLY }, async (t) => {
    const { status, stderr } = start(AS_NOBODY, '--run-as', 'daemon');
    t.equal(status, 1);
    t.match(stderr, /^execwire: cannot start: --run-as daemon: only root can run commands as another user$/m);
  });
});

t.test('command runs when --run-as names the user that the server has already', { skip: NOBODY_ONLY }, async (t) => {
  const client = await clientOf(t, { through: AS_NOBODY, flags: ['--run-as', 'nobody'] });
  t.same(await outputs(client, 'id -u; echo $USER'), ['65534\nnobody\n', '65534\nnobody\n']);
});

t.test(
  'command has a higher OOM score than its server, so that the kernel ends it first when memory runs out',
  { skip: !isLinux && 'needs Linux' },
  async (t) => {
    // The score is raised right after the start, so the command waits for it. If it is never raised, the command ends by its timeout and prints nothing.
    const scores = (score: number) =>
      `until read mine < /proc/$$/oom_score_adj && [ $mine = ${score} ]; do :; done; echo $mine`;
    // An orchestrator gives a server a score of its own. A command's score is above that, up to the kernel's maximum.
    for (const [own, raised] of [
      [0, 500],
      [300, 800],
      [900, 1000],
    ] as const) {
      const through = ['sh', '-c', `echo ${own} > /proc/self/oom_score_adj; exec "$@"`, 'sh'];
      const { client, serverPid } = await clientAndServer(t, { through });
      const expected = `${raised}\n`;
      t.same(await outputs(client, scores(raised)), [expected, expected], `server with ${own}`);
      t.equal(oomScoreOf(serverPid), own);
    }
    await t.test('also when it is not root', { skip: NOBODY_ONLY }, async (t) => {
      const { client, serverPid } = await clientAndServer(t, { through: AS_NOBODY });
      for (let round = 0; round < 3; round += 1) {
        t.same(await outputs(client, scores(500)), ['500\n', '500\n']);
      }
      t.equal(oomScoreOf(serverPid), 0);
    });
  },
);
