/**
 * Coming back to one of several servers, seen from one server: which upgrades are let in while it drains, what its probes tell a balancer, and what a
 * client can tell about its command afterwards. The balancers themselves are in `affinity-balancers.test.ts`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { connect, LostError, type Run, UnknownOutcomeError } from '../../client/src/node.js';
import { signedToken } from '../auth/signed-token.js';
import { ask } from '../support/ask.js';
import { isAlive } from '../support/process-table.js';
import { startServer, type TestServer } from '../support/server.js';
import { ServerProcess } from '../support/server-process.js';
import { until } from '../support/until.js';
import type { WireClient } from '../support/wire-client.js';

t.jobs = 3;

const CLEAN = { code: 0, signal: null };
const SECRET = 'a secret of more than thirty-two bytes, for tests';
const EXPERIMENTAL = { experimentalApi: true };
/** A key as clients make them: affinity, dot, random part. */
const KEY = 'a1b2c3d4e5f6a7b8c9d0.00112233445566778899';
const AFFINITY = KEY.slice(0, KEY.indexOf('.'));
/** A key with another affinity, though most of the text is the same. */
const STRANGE_KEY = 'a1b2c3d4e5f6a7b8c9d1.00112233445566778899';

function secretFile(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-affinity-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'secret');
  writeFileSync(path, SECRET, { mode: 0o600 });
  return path;
}

/** A token of one user. */
function tokenOf(sub: string): string {
  return signedToken({ sub, exp: Math.floor(Date.now() / 1000) + 3600 }, SECRET);
}

/** Starts a command that runs until it is killed, and resolves when it runs. */
async function startDetachable(client: WireClient, key: string, more: object = {}): Promise<void> {
  const params = {
    processId: key,
    streamStdoutStderr: true,
    disableTimeout: true,
    detachable: { key, ttlMs: 600_000 },
    ...more,
  };
  const reply = client.exec(['sh', '-c', 'echo ready; exec sleep 600'], params);
  const early = await Promise.race([client.said(key, 'ready'), reply]);
  if (early !== undefined) throw new Error(`ended before it was ready: ${JSON.stringify(early)}`);
}

/** Resolves when the server refuses clients that name no key of its commands. */
async function untilDraining(server: TestServer, headers: Record<string, string> = {}): Promise<void> {
  await until('the server drains', async () => (await ask(server, { upgrade: true, headers })).status === 503);
}

t.test('draining server lets in a principal with the affinity of its own command, and no other client', async (t) => {
  const flags = [
    '--drain-timeout',
    '10m',
    '--ws-auth',
    'signed-bearer-token',
    '--ws-shared-secret-file',
    secretFile(t),
  ];
  const server = await startServer(t, { flags });
  const mine = { Authorization: `Bearer ${tokenOf('mine')}` };
  const others = { Authorization: `Bearer ${tokenOf('other')}` };
  const client = await server.session(EXPERIMENTAL, { token: tokenOf('mine'), path: `/?key=${KEY}` });
  await startDetachable(client, KEY);
  // A key without a dot: the whole key is its affinity.
  await startDetachable(client, 'without-any-dot-in-it');
  client.terminate();
  t.equal(
    (await ask(server, { upgrade: true, headers: others })).status,
    101,
    'every client comes in before the drain',
  );
  server.signal('SIGTERM');
  await untilDraining(server, mine);

  const letIn: Record<string, string> = {
    'the key itself': `/?key=${KEY}`,
    'another key of its affinity': `/?key=${AFFINITY}.another-one`,
    'its affinity alone': `/?key=${AFFINITY}`,
    'a key among other parameters, on another path': `/some/path?a=1&key=${KEY}&b=2`,
    'an encoded key': `/?key=${AFFINITY}%2E0`,
    'a key without a dot': '/?key=without-any-dot-in-it',
    'a key whose affinity is a key without a dot': '/?key=without-any-dot-in-it.0',
  };
  for (const [what, path] of Object.entries(letIn)) {
    t.equal((await ask(server, { upgrade: true, path, headers: mine })).status, 101, what);
  }
  const refused: Record<string, [path: string, headers: Record<string, string>]> = {
    'no key': ['/', mine],
    'an empty key': ['/?key=', mine],
    'an unknown affinity': [`/?key=${STRANGE_KEY}`, mine],
    'a beginning of the affinity': [`/?key=${AFFINITY.slice(0, -1)}`, mine],
    'the random part alone': [`/?key=${KEY.slice(AFFINITY.length + 1)}`, mine],
    'the affinity in other letters': [`/?key=${KEY.toUpperCase()}`, mine],
    'a known key behind an unknown one': [`/?key=${STRANGE_KEY}&key=${KEY}`, mine],
    'the key of another parameter': [`/?Key=${KEY}`, mine],
    "another principal's key": [`/?key=${KEY}`, others],
  };
  for (const [what, [path, headers]] of Object.entries(refused)) {
    const { status, headers: answered } = await ask(server, { upgrade: true, path, headers });
    t.equal(status, 503, what);
    t.ok(Number(answered['retry-after']) > 0, `${what}: Retry-After`);
  }
  t.equal((await ask(server, { upgrade: true, path: `/?key=${KEY}` })).status, 401, 'the credential is checked first');

  const back = await server.session(EXPERIMENTAL, { token: tokenOf('mine'), path: `/?key=${AFFINITY}.back` });
  t.match(
    (
      await back.exec(['true'], {
        processId: 'new',
        streamStdoutStderr: true,
        detachable: { key: `${AFFINITY}.new-work` },
      })
    ).error,
    { code: -32004 },
    'a client that comes back starts nothing new',
  );
  for (const key of [KEY, 'without-any-dot-in-it']) {
    const reply = back.request('command/exec/attach', { processId: key, key });
    await back.said(key, 'ready');
    t.same((await back.request('command/exec/terminate', { processId: key })).result, {});
    t.equal((await reply).result?.exitCode, 137);
  }
  t.equal(await back.closed, 1001);
  t.strictSame(await server.exited, CLEAN);
});

t.test('ownerz says 404 and readyz says 503 when the server leaves, drains or is full', async (t) => {
  const probes = async (server: TestServer) =>
    Promise.all(['/readyz', '/ownerz', '/livez'].map(async (path) => (await server.get(path)).status));
  const server = await startServer(t, { flags: ['--drain-delay', '1500ms', '--drain-timeout', '10m'] });
  t.same(await probes(server), [200, 200, 200]);
  t.equal((await ask(server, { path: '/ownerz', method: 'HEAD' })).status, 200);
  t.equal((await ask(server, { path: '/ownerz', method: 'POST' })).status, 405);
  t.equal((await ask(server, { path: '/ownerz', upgrade: true })).status, 400, 'it takes no upgrade');
  const client = await server.session(EXPERIMENTAL);
  await startDetachable(client, KEY);
  server.signal('SIGTERM');
  await server.logged('"msg":"leaving"');
  t.same(await probes(server), [503, 404, 200], 'while it leaves, as the log says');
  await client.notified('server/draining');
  t.same(await probes(server), [503, 404, 200], 'while it drains');
  await client.request('command/exec/terminate', { processId: KEY });
  t.strictSame(await server.exited, CLEAN);

  const full = await startServer(t, { flags: ['--max-connections', '2'] });
  const [one] = [await full.session(), await full.session()];
  t.same(await probes(full), [503, 404, 200], 'while it is full');
  await one?.close();
  await until('there is room', async () => (await full.get('/ownerz')).status === 200);
  t.equal((await full.get('/readyz')).status, 200);
});

t.test('screen is complete unless the server runs with --no-screens', async (t) => {
  for (const [flags, complete] of [
    [[], true],
    [['--no-screens'], false],
  ] as const) {
    const server = await startServer(t, { flags });
    const client = await server.session(EXPERIMENTAL);
    const params = {
      processId: 'writer',
      tty: true,
      size: { rows: 5, cols: 40 },
      streamStdoutStderr: true,
      disableTimeout: true,
      detachable: { key: KEY, replayBytes: 1024 },
    };
    // The text of the last line stays on the screen, while 200 KB of later output push it out of the log.
    const script = `printf '\\033[2J\\033[5;1Hbottom'; i=0; while [ $i -lt 4000 ]; do printf '\\033[1;1H%s' 'the first line, again and again and again'; i=$((i+1)); done; printf '\\033[2;1Hover'; exec sleep 600`;
    void client.exec(['sh', '-c', script], params);
    await client.said('writer', 'over');
    const attached = client.request('command/exec/attach', {
      processId: 'view',
      key: KEY,
      role: 'observer',
      screen: true,
    });
    const { params: screen } = await client.notified('command/exec/screen');
    t.equal(screen.complete, complete, `complete with ${flags.join(' ') || 'no flag'}`);
    const drawn = Buffer.from(screen.deltaBase64, 'base64').toString();
    t.equal(drawn.includes('bottom'), complete, 'text that the log has dropped');
    t.ok(drawn.includes('over'), 'text that the log still has');
    await client.request('command/exec/terminate', { processId: 'view' });
    t.equal((await attached).result?.exitCode, 137);
  }
});

/** A box whose connections can be cut. */
async function cuttableBox(t: Test, url: string, maxMs = 60_000) {
  const sockets: WebSocket[] = [];
  const box = await connect(url, {
    reconnect: { maxMs },
    openSocket: (address, protocols) => {
      const socket = new WebSocket(address, protocols);
      sockets.push(socket);
      return socket as never;
    },
  });
  t.teardown(() => box.close());
  return { box, cut: () => sockets.at(-1)?.terminate() };
}

const fateOf = (run: Run): Promise<unknown> =>
  Promise.resolve(run).then(
    (result) => result,
    (error: unknown) => error,
  );

t.test('command that dies with its last view is reported as lost when the same server answers', async (t) => {
  const server = await startServer(t);
  const { box, cut } = await cuttableBox(t, server.url);
  const run = box.exec(['sleep', '600'], { detachable: { ttl: 0 } });
  const fate = fateOf(run);
  const { pid } = await run.started;
  const { serverId } = box;
  cut();
  const error = await fate;
  t.ok(error instanceof LostError, String(error));
  t.match(error, { exitCode: undefined, result: { cause: 'lost' } });
  t.equal(box.serverId, serverId, 'it is the same server');
  await until('the command is gone', () => pid !== undefined && !isAlive(pid));
});

t.test('command is unknown when another server answers at the address, and runs once', async (t) => {
  const folder = t.testdir();
  const first = await ServerProcess.start({ cwd: folder });
  t.teardown(() => first.crash());
  const { box } = await cuttableBox(t, first.url);
  const run = box.exec(['sh', '-c', 'echo ran >> journal; exec sleep 600'], { detachable: true });
  // Listens at once, because the end may come at any time.
  const fate = fateOf(run);
  await run.started;
  const { serverId } = box;
  await first.crash();
  await first.untilNothingIsLeft();
  const second = await startServer(t, { listen: first.url, cwd: folder });
  const error = await fate;
  t.ok(error instanceof UnknownOutcomeError, String(error));
  t.match(error, { result: { exitCode: undefined, cause: 'unknown' }, wasSent: true });
  t.not(box.serverId, serverId, 'it is another server');
  const { stdout } = await box.exec(['cat', 'journal']);
  t.equal(stdout, 'ran', 'nothing was started again');
  t.equal(second.url, first.url);
  await box.close();
});

t.test('command is unknown when no server answers in time', async (t) => {
  const server = await ServerProcess.start();
  t.teardown(() => server.crash());
  const { box } = await cuttableBox(t, server.url, 300);
  const run = box.exec(['sleep', '600'], { detachable: true });
  const fate = fateOf(run);
  await run.started;
  await server.crash();
  const error = await fate;
  t.ok(error instanceof UnknownOutcomeError, String(error));
  t.match(error, { result: { exitCode: undefined, cause: 'unknown' } });
  await server.untilNothingIsLeft();
});

t.test('command has its result and output for a client that comes back when it ended without a viewer', async (t) => {
  const server = await startServer(t);
  const folder = t.testdir();
  const first = await connect(server.url);
  const run = first.exec(['sh', '-c', 'echo before; until [ -e go ]; do sleep 0.02; done; echo after; exit 7'], {
    detachable: true,
    cwd: folder,
  });
  const left = fateOf(run);
  const { key = '' } = await run.started;
  await first.close();
  const error = await left;
  t.ok(error instanceof UnknownOutcomeError, String(error));
  writeFileSync(join(folder, 'go'), '');
  const second = await connect(server.url, { key });
  await until('the command has ended', async () =>
    (await second.list()).some((each) => each.key === key && each.state === 'ended'),
  );
  t.match(await second.attach(key, { reject: false }), { exitCode: 7, stdout: 'before\nafter', cause: 'exited' });
  await second.forget(key);
  await second.close();
});
