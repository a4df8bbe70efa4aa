// Shows which requests go to execwire when it is served below a prefix of another Fastify app, which stay with the app, and what ends with the app.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createConnection } from 'node:net';
import websocket from '@fastify/websocket';
import Fastify, { type FastifyInstance } from 'fastify';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { connect } from '../../client/src/node.js';
import type { ExecwirePluginOptions } from '../../src/embed/fastify.js';
import { childrenOf, isAlive } from '../support/process-table.js';
import { upgradeRequest } from '../support/raw-socket.js';
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

interface ServeOptions {
  /** Whether the app has WebSockets of its own. */
  readonly hasWebSocket?: boolean;
  readonly logger?: object;
  readonly return503OnClosing?: boolean;
}

async function serve(
  t: Test,
  options: ExecwirePluginOptions,
  { hasWebSocket = false, ...more }: ServeOptions = {},
): Promise<Served> {
  // Without Fastify's limit of 10 s for a plugin's start, which is too short for a machine that has much else to do.
  const app = Fastify({ pluginTimeout: 0, ...more }) as unknown as FastifyInstance;
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

/** `/readyz` would otherwise say 503 while the machine has much else to do. */
const STEADY = ['--max-event-loop-delay', '0'];
const OPEN: ExecwirePluginOptions = { flags: ['--ws-auth', 'none', ...STEADY] };

t.test('plugin serves execwire below its prefix, and the app serves everything else', async (t) => {
  for (const hasWebSocket of [false, true]) {
    const { port, url } = await serve(t, OPEN, { hasWebSocket });
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

/** Registers the plugin with options as a program in JavaScript could write them. */
async function register(options: Readonly<Record<string, unknown>>): Promise<void> {
  // Without Fastify's limit of 10 s for a plugin's start, which is too short for a machine that has much else to do.
  const app = Fastify({ pluginTimeout: 0 });
  try {
    await app.register(execwirePlugin, { prefix: '/box', ...options } as ExecwirePluginOptions);
  } finally {
    await app.close();
  }
}

t.test(
  'plugin is refused at its registration when a flag would open a listener or makes no sense in an app',
  async (t) => {
    const refused: readonly [flags: readonly string[], message: RegExp][] = [
      [['--listen', 'ws://127.0.0.1:0'], /`--listen`: .*no client comes past `authorize`/],
      [['--listen=ws://127.0.0.1:0'], /`--listen`: /],
      [['--drain-timeout', '10s', '--listen', 'stdio://'], /`--listen`: /],
      [['--tls-cert', '/cert.pem', '--tls-key', '/key.pem'], /`--tls-cert`: TLS ends at your app/],
      [['--tls-key=/key.pem'], /`--tls-key`: TLS ends at your app/],
      [['--allow-host', 'box.example'], /`--allow-host`: /],
      [['--files'], /`--files`: /],
      [['--help'], /`--help`: it prints and ends/],
      [['-h'], /`-h`: /],
      [['--version'], /`--version`: /],
      [['-V'], /`-V`: /],
    ];
    for (const [flags, message] of refused) {
      const error = { name: 'Error', message };
      await t.rejects(register({ authorize: () => true, flags }), error, flags.join(' '));
    }
    // The flag has no value, and must not take the plugin's own `--listen` for it.
    await t.rejects(register({ authorize: () => true, flags: ['--default-cwd'] }), /--default-cwd needs a value/);
  },
);

t.test('plugin is refused at its registration when an option is unknown or has the wrong type', async (t) => {
  const refused: readonly [options: Readonly<Record<string, unknown>>, message: RegExp][] = [
    [{ authorize: true }, /`authorize` must be a function .* and not a value of the type boolean/],
    [{ authorize: 'none' }, /`authorize` must be a function .* type string.*--ws-auth/],
    [{ authorize: null }, /`authorize` must be a function .* and not null/],
    [{ flags: '--ws-auth none' }, /`flags` must be an array of strings.* and not a value of the type string/],
    [
      { flags: ['--ws-auth', 'none', '--max-processes', 3] },
      /`flags` must be .* an array with a value of the type number/,
    ],
    [{ flags: null }, /`flags` must be an array of strings.* and not null/],
    [{ wsAuth: 'none' }, /no option `wsAuth`; its options are `authorize`, `flags` and `prefix`/],
    [{ authorise: () => true }, /no option `authorise`/],
  ];
  for (const [options, message] of refused) {
    await t.rejects(register(options), { name: 'TypeError', message }, Object.keys(options).join());
  }
});

t.test('plugin lets nobody in when authorize throws or returns anything but true', async (t) => {
  let answer: () => unknown = () => true;
  const lines: Record<string, unknown>[] = [];
  const logger = { level: 'warn', stream: { write: (line: string) => void lines.push(JSON.parse(line)) } };
  const { port, url } = await serve(t, { authorize: (() => answer()) as () => boolean, flags: STEADY }, { logger });
  const statusOf = async (path: string) => (await fetch(`http://127.0.0.1:${port}/box${path}`)).status;
  for (const value of [undefined, null, 0, 1, 'yes', {}, [], { allowed: true }, false]) {
    answer = () => value;
    await t.rejects(connect(url), { name: 'ConnectError', status: 401 }, `an upgrade with ${JSON.stringify(value)}`);
    t.equal(await statusOf('/metrics'), 401);
  }
  t.match(lines, [{ msg: /`authorize` returned no boolean; only `true`/, type: 'undefined' }], 'one line in the log');
  lines.length = 0;
  for (const failing of [
    () => {
      throw new Error('the secret of the store');
    },
    async () => Promise.reject(new Error('the secret of the store')),
  ]) {
    answer = failing;
    await t.rejects(connect(url), { name: 'ConnectError', status: 500 });
    const plain = await fetch(`http://127.0.0.1:${port}/box/metrics`);
    t.equal(plain.status, 500);
    t.equal(await plain.text(), '', 'the client is told nothing of the error');
    t.equal(await statusOf('/readyz'), 200, 'a probe needs no authorization');
  }
  t.equal(lines.length, 4);
  for (const line of lines) t.match(line, { msg: /`authorize` failed/, err: { message: 'the secret of the store' } });
  answer = () => true;
  await using box = await connect(url);
  t.equal((await box.exec(['echo', 'in'])).stdout, 'in');
});

t.test('plugin answers with 503 when the app closes and its server has ended', async (t) => {
  const { app, port } = await serve(t, OPEN, { return503OnClosing: false });
  const sockets = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const socket = createConnection(port, '127.0.0.1').setEncoding('latin1');
      t.teardown(() => socket.destroy());
      await once(socket, 'connect');
      return socket;
    }),
  );
  // The app has accepted these connections, because it has answered a later one.
  t.equal((await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).status, 200);
  const requests = ['/box', '/box/readyz', '/box/nothing'].map((path, at) => {
    const upgrade = at === 0 ? upgradeRequest().replace('GET / ', `GET ${path} `) : undefined;
    return upgrade ?? `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
  });
  const closed = app.close();
  await until('the app listens no more', () => !app.server.listening);
  const answers = sockets.map(async (socket, at) => {
    let answer = '';
    socket.on('data', (text: string) => {
      answer += text;
    });
    socket.write(requests[at] ?? '');
    await once(socket, 'close');
    return `${answer.split(' ')[1]} ${/^retry-after: (.*)\r$/im.exec(answer)?.[1]}`;
  });
  t.same(await Promise.all(answers), ['503 1', '503 1', '503 1']);
  await closed;
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
