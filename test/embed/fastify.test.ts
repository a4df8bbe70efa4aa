// Shows which requests go to execwire when it is served below a prefix of another Fastify app, which stay with the app, and what ends with the app.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import websocket from '@fastify/websocket';
import Fastify, { type FastifyInstance } from 'fastify';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { connect } from '../../client/src/node.js';
import type { ExecwirePluginOptions } from '../../src/embed/fastify.js';
import { childrenOf, isAlive } from '../support/process-table.js';
import { until } from '../support/until.js';

// The built plugin, because it starts the built server.
const BUILT = new URL('../../dist/fastify.cjs', import.meta.url).href;
const { execwirePlugin } = (await import(BUILT)) as typeof import('../../src/embed/fastify.js');

interface Served {
  readonly app: FastifyInstance;
  /** The app's port. */
  readonly port: number;
  readonly url: string;
}

async function serve(t: Test, options: ExecwirePluginOptions, hasWebSocket = false): Promise<Served> {
  // Without Fastify's limit of 10 s for a plugin's start, which is too short for a machine that has much else to do.
  const app = Fastify({ pluginTimeout: 0 });
  t.teardown(() => app.close());
  if (hasWebSocket) {
    await app.register(websocket);
    app.get('/own', { websocket: true }, (socket) => socket.send('the app itself'));
  }
  app.get('/', async () => 'the page of the app');
  await app.register(execwirePlugin, { prefix: '/box', ...options });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  return { app, port, url: `ws://127.0.0.1:${port}/box` };
}

const OPEN: ExecwirePluginOptions = { flags: ['--ws-auth', 'none'] };

t.test('plugin serves execwire below its prefix, and the app serves everything else', async (t) => {
  for (const hasWebSocket of [false, true]) {
    const { port, url } = await serve(t, OPEN, hasWebSocket);
    await using box = await connect(url);
    t.equal((await box.exec(['echo', 'hello'])).stdout, 'hello');
    const term = box.terminal(['sh', '-c', 'stty size'], { rows: 30, cols: 100 });
    t.equal((await term.waitFor(/\d+ \d+/)).match, '30 100');
    const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`);
    t.equal(await (await get('/')).text(), 'the page of the app');
    t.equal((await get('/box/readyz')).status, 200);
    t.equal((await get('/box/nothing')).status, 404);
    t.equal((await get('/boxing')).status, 404);
    const plain = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    t.equal(plain.status, 200);
    await t.rejects(connect(`ws://127.0.0.1:${port}/boxing`), { name: 'ConnectError', status: 404 });
    if (!hasWebSocket) continue;
    const own = new WebSocket(`ws://127.0.0.1:${port}/own`);
    t.equal(String((await once(own, 'message'))[0]), 'the app itself');
    own.terminate();
  }
});

t.test('plugin serves the requests that authorize accepts, and is refused when it has no authentication', async (t) => {
  // Without Fastify's limit of 10 s for a plugin's start, which is too short for a machine that has much else to do.
  const app = Fastify({ pluginTimeout: 0 });
  await t.rejects(async () => app.register(execwirePlugin, { prefix: '/box' }), /give the plugin `authorize`, or/);
  await app.close();
  const { port, url } = await serve(t, { authorize: async ({ headers }) => headers.cookie === 'session=good' });
  await t.rejects(connect(url), { name: 'ConnectError', status: 401 });
  const headers = { cookie: 'session=good' };
  await using box = await connect(url, { openSocket: (to, protocols) => new WebSocket(to, protocols, { headers }) });
  t.equal((await box.exec(['echo', 'in'])).stdout, 'in');
  const statusOf = async (path: string, more = {}) => (await fetch(`http://127.0.0.1:${port}/box${path}`, more)).status;
  t.same([await statusOf('/healthz'), await statusOf('/metrics')], [200, 401]);
  t.equal(await statusOf('/metrics', { headers }), 200);
});

t.test('plugin names the wrong flag when the server refuses its flags', async (t) => {
  // Without Fastify's limit of 10 s for a plugin's start, which is too short for a machine that has much else to do.
  const app = Fastify({ pluginTimeout: 0 });
  t.teardown(() => app.close());
  const register = async () => app.register(execwirePlugin, { prefix: '/box', flags: ['--ws-auth', 'nonsense'] });
  await t.rejects(register, /execwire ended with 2 before it listened:\n.*--ws-auth/);
});

t.test('plugin lets commands finish, then ends the others and its server when the app closes', async (t) => {
  const { app, url } = await serve(t, {
    // The deadline leaves a busy machine time for the command that finishes, and the grace for the one that is ended.
    flags: ['--ws-auth', 'none', '--drain-timeout', '10s', '--kill-grace', '10m'],
  });
  const box = await connect(url, { reconnect: false });
  const child = Number((await box.exec(['sh', '-c', 'echo $PPID'])).stdout);
  t.ok(isAlive(child));
  const draining = new Promise<void>((resolve) => box.onStatus(({ state }) => state === 'draining' && resolve()));
  const finishing = box.exec(['sh', '-c', 'echo ready; read line; echo "$line"'], { stdin: 'pipe' });
  const endless = box.exec(['sleep', '600'], { reject: false });
  const { pid = 0 } = await endless.started;
  await finishing.waitFor('ready');
  const closed = app.close();
  await draining;
  await finishing.write('finished\n');
  t.match(await finishing, { exitCode: 0, stdout: 'ready\nfinished' });
  t.match(await endless, { signal: 'SIGTERM' });
  await closed;
  t.notOk(isAlive(pid));
  t.notOk(isAlive(child), 'the server has ended');
  await box.close();
});

t.test('server is started again for the next client when it has crashed', async (t) => {
  const { url } = await serve(t, OPEN);
  await using box = await connect(url);
  const { stdout } = await box.exec(['sh', '-c', 'echo $PPID']);
  const crashed = box.exec(['sleep', '600'], { reject: false });
  await crashed.started;
  process.kill(Number(stdout), 'SIGKILL');
  t.match(await crashed, { exitCode: undefined, cause: 'lost' });
  await until('the server runs again', async () => (await box.exec(['true'], { reject: false })).exitCode === 0);
});

t.test('server and its commands end when the process of the app is killed', async (t) => {
  const folder = t.testdir({
    'app.mjs': `import Fastify from 'fastify';
import { execwirePlugin } from '${BUILT}';
const app = Fastify();
await app.register(execwirePlugin, { flags: ['--ws-auth', 'none'] });
await app.listen({ port: 0, host: '127.0.0.1' });
console.log(app.server.address().port);
setInterval(() => {}, 1000);
`,
  });
  const app = spawn(process.execPath, [`${folder}/app.mjs`], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => app.kill('SIGKILL'));
  const [port] = await once(app.stdout, 'data');
  const box = await connect(`ws://127.0.0.1:${Number(port)}`, { reconnect: false });
  const { pid: command = 0 } = await box.exec(['sleep', '600'], { detachable: true, reject: false }).started;
  const children = childrenOf(app.pid ?? 0);
  t.ok(children.length > 0);
  app.kill('SIGKILL');
  await until('server and command have ended', () => [...children, command].every((pid) => !isAlive(pid)));
  await box.close();
});
