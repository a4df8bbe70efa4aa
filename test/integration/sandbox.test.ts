// Shows what a whole server reports of sandbox policies, what the policies enforce, and what is refused. Knows no mechanism of them.
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { spawnServer, startServer } from '../support/server.js';
import { until } from '../support/until.js';
import type { WireMessage } from '../support/wire-client.js';

const TOKEN = 'a-token-of-some-length-for-this-test-0123456789';
const DENIED = /Permission denied|Read-only file system/;
const NETWORK = { type: 'readOnly', networkAccess: true };

/** Folders outside of /tmp, because a policy makes /tmp writable. */
function folders(t: Test): { readonly workspace: string; readonly outside: string } {
  const base = mkdtempSync('/var/tmp/execwire-sandbox-');
  t.teardown(() => rmSync(base, { recursive: true }));
  const made = { workspace: join(base, 'workspace'), outside: join(base, 'outside') };
  for (const folder of Object.values(made)) mkdirSync(folder);
  return made;
}

const sh = (script: string): string[] => ['sh', '-c', script];
const shown = ({ result, error }: WireMessage): string =>
  error === undefined ? result.stdout.trim().replaceAll('\n', ' ') : `${error.code} ${JSON.stringify(error.data)}`;
// Descriptors are not compared at the end, because threads and their descriptors stay for the next command of the same policy.
const kept = { warm: false } as const;

t.test(
  'policies confine the files of commands and tell them whether they have a network when a request asks for them',
  async (t) => {
    const { workspace, outside } = folders(t);
    const server = await startServer(t, { ...kept, flags: ['--default-cwd', workspace] });
    const client = await server.session();
    const script = `touch in && echo in; touch ${outside}/out && echo out; echo "net $CODEX_SANDBOX_NETWORK_DISABLED"`;
    const cases: readonly [object | null | undefined, string][] = [
      [undefined, 'in out net'],
      [null, 'in out net'],
      [{ type: 'dangerFullAccess' }, 'in out net'],
      [{ type: 'externalSandbox' }, 'in out net 1'],
      [{ type: 'externalSandbox', networkAccess: 'enabled' }, 'in out net'],
      [{ type: 'readOnly' }, 'net 1'],
      [{ type: 'workspaceWrite' }, 'in net 1'],
      [{ type: 'workspaceWrite', writableRoots: [outside] }, 'in out net 1'],
    ];
    for (const [sandboxPolicy, expected] of cases) {
      const reply = await client.exec(sh(script), { sandboxPolicy });
      t.equal(shown(reply), expected, JSON.stringify(sandboxPolicy));
      if (!expected.startsWith('in')) t.match(reply.result?.stderr, DENIED);
      for (const file of [join(workspace, 'in'), join(outside, 'out')]) rmSync(file, { force: true });
    }
    const terminal = { processId: 't', tty: true, sandboxPolicy: { type: 'readOnly' } };
    t.match((await client.exec(sh('touch in; [ -t 0 ] && exit 3'), terminal)).result, { exitCode: 3 });
    t.notOk(existsSync(join(workspace, 'in')));
    const missing = { sandboxPolicy: { type: 'readOnly' } };
    t.match((await client.exec(['/nope'], missing)).error, { code: -32603, data: { errno: 'ENOENT' } });
  },
);

t.test('workspace can be written by a relative path when the command starts where the server is', async (t) => {
  const { workspace, outside } = folders(t);
  mkdirSync(join(workspace, 'sub'));
  const server = await startServer(t, { ...kept, cwd: workspace });
  const client = await server.session();
  const sandboxPolicy = { type: 'workspaceWrite' };
  for (const cwd of [undefined, '.', 'sub', workspace]) {
    const params = { sandboxPolicy, ...(cwd === undefined ? {} : { cwd }) };
    t.equal(
      shown(await client.exec(sh('touch in && pwd -P'), params)),
      join(workspace, cwd === 'sub' ? cwd : ''),
      `cwd ${cwd}`,
    );
    const terminal = { ...params, processId: 't', tty: true };
    t.match((await client.exec(sh('touch in && exit 3'), terminal)).result, { exitCode: 3 }, `${cwd} on a terminal`);
  }
  t.match((await client.exec(sh(`touch ${outside}/out`), { sandboxPolicy })).result, { stderr: DENIED });
  await client.exec(sh('touch in'));
  t.ok(existsSync(join(workspace, 'in')), "the server's own directory has not changed");
});

t.test('policy is refused with the name of the wrong field when a field is wrong', async (t) => {
  const server = await startServer(t, kept);
  const client = await server.session();
  for (const [sandboxPolicy, message] of [
    [{ type: 'mine' }, /sandboxPolicy\.type/],
    [{}, /sandboxPolicy\.type/],
    [{ type: 'workspaceWrite', writableRoots: ['sub'] }, /writableRoots\[0\]/],
    [{ type: 'workspaceWrite', writableRoots: [5] }, /writableRoots/],
    [{ type: 'readOnly', networkAccess: 'enabled' }, /networkAccess/],
  ] as const) {
    const { error } = await client.exec(['true'], { sandboxPolicy });
    t.match(error, { code: -32602, message }, JSON.stringify(sandboxPolicy));
  }
});

t.test('policy with a network is refused when its command could come back as a client', async (t) => {
  const { outside } = folders(t);
  const file = join(outside, 'token');
  writeFileSync(file, TOKEN);
  chmodSync(file, 0o600);
  const digest = createHash('sha256').update(TOKEN).digest('hex');
  const auth = ['--ws-auth', 'capability-token'];
  const cases: readonly [flags: string[], token: string | undefined, missing: string[] | undefined, mend: RegExp][] = [
    [[], undefined, ['authentication'], /--ws-auth/],
    [[...auth, '--ws-token-file', file], TOKEN, ['authentication'], /--ws-token-sha256/],
    [[...auth, '--ws-token-sha256', digest], TOKEN, undefined, /./],
  ];
  for (const [flags, token, missing, message] of cases) {
    const server = await startServer(t, { ...kept, flags });
    const client = await server.session(undefined, { token });
    const { error, result } = await client.exec(['true'], { sandboxPolicy: NETWORK });
    if (missing === undefined)
      t.match(result, { exitCode: 0 }, 'allowed when the server knows only a digest of the token');
    else t.match(error, { code: -32602, message, data: { reason: 'sandboxUnavailable', missing } }, flags.join(' '));
    t.match((await client.exec(['true'], { sandboxPolicy: { type: 'readOnly' } })).result, { exitCode: 0 });
  }
  const client = await spawnServer(t).stdio().initialize();
  t.match((await client.exec(['true'], { sandboxPolicy: NETWORK })).result, { exitCode: 0 }, 'allowed over stdio');
});

t.test('minimum of the operator is enforced, and the reply says so, when a request asks for less', async (t) => {
  const { workspace, outside } = folders(t);
  const flags = ['--default-cwd', workspace, '--sandbox-minimum', 'workspaceWrite'];
  const server = await startServer(t, { ...kept, flags });
  const client = await server.session();
  const script = `touch in && echo in; touch ${outside}/out && echo out`;
  const enforced = { type: 'workspaceWrite', networkAccess: false };
  for (const sandboxPolicy of [
    undefined,
    { type: 'dangerFullAccess' },
    { type: 'workspaceWrite', writableRoots: [outside, '/'] },
  ]) {
    const { result } = await client.exec(sh(script), { sandboxPolicy, env: { TMPDIR: outside } });
    t.match(result, { stdout: 'in\n', sandbox: enforced }, JSON.stringify(sandboxPolicy));
  }
  const { result } = await client.exec(sh(script), { sandboxPolicy: { type: 'readOnly' } });
  t.match(result, { stdout: '', sandbox: undefined }, 'a stricter policy is not changed');
});

t.test('server says what it enforces and counts its threads when it is asked', async (t) => {
  const server = await startServer(t, kept);
  const client = await server.wire();
  const { result } = await client.request('initialize', { clientInfo: { name: 'a', version: '1' } });
  t.match(result.limits.sandbox, { landlockAbi: Number, network: 'seccomp', notEnforced: Array });
  t.equal(result.limits.maxProcesses, 1024);
  await client.exec(['true'], { sandboxPolicy: { type: 'readOnly' } });
  const metrics = await (await fetch(`${server.httpUrl}/metrics`)).text();
  t.match(metrics, /^execwire_sandbox_threads 1$/m);
  t.match(metrics, /^execwire_sandbox_threads_started_total 1$/m);
  t.match(metrics, /^execwire_sandbox_refusals_total 0$/m);
});

t.test('command in a sandbox is killed with all it has started when its connection closes', async (t) => {
  const server = await startServer(t, kept);
  const client = await server.session();
  const policy = {
    processId: 'p',
    streamStdoutStderr: true,
    disableTimeout: true,
    sandboxPolicy: { type: 'readOnly' },
  };
  const ended = client.exec(sh('setsid sh -c "echo up; sleep 300" & sleep 300'), policy).catch(() => {});
  await client.notified('command/exec/outputDelta');
  await client.close();
  await ended;
  await until('the commands are gone', () => server.children().length <= 1);
  t.pass('nothing is left');
});

t.test('folders that the server made to protect them are gone when a second signal ends it at once', async (t) => {
  const { workspace } = folders(t);
  const server = await startServer(t, { ...kept, flags: ['--default-cwd', workspace, '--drain-timeout', '10m'] });
  const client = await server.session();
  void client.exec(sh('echo ready; exec sleep 600'), {
    processId: 'sleep',
    streamStdoutStderr: true,
    disableTimeout: true,
    sandboxPolicy: { type: 'workspaceWrite' },
  });
  await client.said('sleep', 'ready');
  t.comment(`made: ${readdirSync(workspace).join(' ')}`);
  server.signal('SIGTERM');
  await client.notified('server/draining');
  server.signal('SIGINT');
  t.strictSame(await server.exited, { code: 130, signal: null });
  t.same(readdirSync(workspace), []);
});
