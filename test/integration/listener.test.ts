// Shows everything around the sessions of a server: banner, flags, HTTP routes, upgrades, frames and their limits, Unix sockets, standard input and
// output. Long because a listener answers many kinds of request.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { version } from '../../src/version.js';
import { isAlive } from '../support/process-table.js';
import { spawnServer, startServer } from '../support/server.js';
import { SERVER, START_MS } from '../support/server-process.js';
import { until } from '../support/until.js';
import type { WireClient } from '../support/wire-client.js';

const server = await startServer(t, { flags: ['--max-frame-bytes', '1m'] });
const INITIALIZE = { id: 0, method: 'initialize', params: { clientInfo: { name: 'a', version: '1' } } };

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Record<string, unknown>;
}

function http(method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${server.httpUrl}${path}`, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }));
    });
    sent.on('upgrade', (_response, socket) => {
      socket.destroy();
      resolve({ status: 101, body: '', headers: {} });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const UPGRADE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

t.test('banner comes first on stderr, and stdout stays empty, when the server starts', async (t) => {
  t.ok(
    server.stderr.startsWith(
      `execwire (WebSocket)\n  listening on: ${server.url}\n  readyz: ${server.httpUrl}/readyz\n  healthz: ${server.httpUrl}/healthz\n`,
    ),
    server.stderr.slice(0, 300),
  );
  t.match(server.url, /^ws:\/\/127\.0\.0\.1:[1-9]\d*$/, 'the real port');
  t.equal(server.child.stdout?.read(), null);
});

t.test(
  'probes answer GET and HEAD with 200 and no body, and other methods with 405 whatever their body is',
  async (t) => {
    for (const path of ['/healthz', '/livez', '/readyz']) {
      for (const method of ['GET', 'HEAD']) {
        const { status, body } = await http(method, path);
        t.same([status, body], [200, ''], `${method} ${path}`);
      }
      for (const type of [
        'application/json',
        'text/plain',
        'application/x-odd',
        'multipart/form-data',
        'no type at all',
      ]) {
        const { status, headers } = await http('POST', path, { 'content-type': type }, '{');
        t.equal(status, 405, `POST ${path} of ${type}`);
        t.match(headers.allow, 'GET');
      }
      for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS'])
        t.equal((await http(method, path)).status, 405, method);
    }
  },
);

t.test(
  'upgrades open a session on any path but those of HTTP routes, and a GET of an unknown path is 404',
  async (t) => {
    for (const path of ['/', '/nothing', '/healthz/x', '/%2e%2e/etc/passwd'])
      t.equal((await http('GET', path)).status, 404, path);
    for (const path of ['/healthz', '/livez', '/readyz']) t.equal((await http('GET', path, UPGRADE)).status, 400, path);
    for (const path of ['/', '/rpc', '/any/path?with=query', '/%20']) {
      const raw = await server.wire({ path });
      t.match(
        await (await raw.initialize()).request('command/exec', { command: ['true'] }),
        { result: { exitCode: 0 } },
        path,
      );
      await raw.close();
    }
  },
);

t.test('request for another upgrade is answered as a plain one', async (t) => {
  const wish = {
    Connection: 'Upgrade, HTTP2-Settings',
    Upgrade: 'h2c',
    'HTTP2-Settings': 'AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
  };
  for (const path of ['/healthz', '/readyz']) {
    for (const method of ['GET', 'HEAD']) t.equal((await http(method, path, wish)).status, 200, `${method} ${path}`);
  }
  t.equal((await http('POST', '/readyz', { ...wish, 'content-type': 'text/plain' }, 'x'.repeat(100_000))).status, 405);
  t.equal((await http('GET', '/nothing', wish)).status, 404);
  t.equal((await http('GET', '/', { ...wish, Origin: 'http://evil.example' })).status, 403);
  t.equal((await http('GET', '/', { ...UPGRADE, Upgrade: 'WebSocket' })).status, 101);

  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const sockets = new Set<unknown>();
  for (const headers of [wish, {}, wish]) {
    const asked = request(`${server.httpUrl}/readyz`, { headers, agent });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    t.equal(response.statusCode, 200);
    sockets.add(response.socket);
    await once(response.resume(), 'end');
  }
  t.equal(sockets.size, 1, 'all requests use one connection');
});

t.test('every request is refused with 403 when it has an Origin, whatever its value is', async (t) => {
  for (const origin of ['http://evil.example', 'null', '', server.httpUrl]) {
    t.equal((await http('GET', '/', { ...UPGRADE, Origin: origin })).status, 403, JSON.stringify(origin));
    t.equal((await http('GET', '/healthz', { Origin: origin })).status, 403);
  }
  t.equal((await http('GET', '/', UPGRADE)).status, 101);
});

t.test('message is read as UTF-8 and a ping is answered when the message comes in fragments', async (t) => {
  const raw = await (await server.wire()).initialize();
  const text = JSON.stringify({ id: 'ü', method: 'command/exec', params: { command: ['echo', '€'] } });
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 1) {
    raw.ws.send(bytes.subarray(at, at + 1), { binary: false, fin: at === bytes.length - 1 });
    if (at === 10) raw.ws.ping('in between');
  }
  const [pong] = await Promise.all([once(raw.ws, 'pong'), raw.replyTo('ü')]);
  t.equal(String(pong[0]), 'in between');
  t.match(await raw.replyTo('ü'), { result: { stdout: '€\n' } });
  await raw.close();
});

t.test('close codes say what was wrong when a frame cannot be taken', async (t) => {
  const table: readonly [name: string, send: (raw: WireClient) => void, code: number][] = [
    ['a binary frame', ({ ws }) => ws.send(Buffer.from('{}'), { binary: true }), 1003],
    ['a frame over the limit', ({ ws }) => ws.send('x'.repeat(1024 * 1024 + 1)), 1009],
    [
      'fragments over the limit',
      ({ ws }) => {
        for (let at = 0; at < 5; at += 1) ws.send('x'.repeat(300_000), { fin: at === 4 });
      },
      1009,
    ],
    ['text that is no UTF-8', ({ ws }) => ws.send(Buffer.from([0xff, 0xfe]), { binary: false }), 1007],
    ['a Close', ({ ws }) => ws.close(1000), 1000],
  ];
  for (const [name, send, code] of table) {
    const raw = await (await server.wire()).initialize();
    send(raw);
    t.equal(await raw.closed, code, name);
  }
  const atLimit = await (await server.wire()).initialize();
  const padding = 'x'.repeat(1024 * 1024 - 40);
  atLimit.send(`{"id":1,"method":"m","params":"${padding}"}`.slice(0, 1024 * 1024));
  t.match(
    await atLimit.message(({ id }) => id === 1 || id === null),
    { error: {} },
    'a message at the limit is answered',
  );
  await atLimit.close();
});

t.test('messages after the server’s own Close are not executed', async (t) => {
  const folder = folderOf(t);
  const raw = await (await server.wire()).initialize();
  const touch = join(folder, 'touched');
  raw.ws.send(Buffer.from('{}'), { binary: true });
  raw.send({ id: 1, method: 'command/exec', params: { command: ['touch', touch] } });
  t.equal(await raw.closed, 1003);
  await server.untilIdle();
  t.notOk(existsSync(touch));
});

// The program.

function run(...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [SERVER, ...argv], { encoding: 'utf8', input: '', timeout: START_MS });
}

t.test('help and version are printed on stdout with exit code 0', (t) => {
  for (const flag of ['--help', '-h']) t.match(run(flag), { status: 0, stdout: /Commands:\n +serve /, stderr: '' });
  t.match(run('serve', '--help'), { status: 0, stdout: /--listen URL[\s\S]*EXECWIRE_LISTEN/, stderr: '' });
  for (const flag of ['--version', '-V']) t.match(run(flag), { status: 0, stdout: `${version}\n`, stderr: '' });
  t.end();
});

t.test('unknown command is an error that names the nearest one', (t) => {
  t.match(run('srve', '--listen', 'stdio://'), {
    status: 125,
    stdout: '',
    stderr: /^execwire: unknown command `srve`; did you mean `serve`\?/,
  });
  t.match(run('frobnicate'), {
    status: 125,
    stdout: '',
    stderr: /^execwire: unknown command `frobnicate`; see `execwire help`\n$/,
  });
  t.match(run('help', 'srve'), { status: 125, stderr: /`serve`/ });
  t.match(run('help', 'serve'), { status: 0, stdout: /--listen/ });
  t.match(run('help'), { status: 0, stdout: /^ {2}serve /m });
  t.match(
    run('--', 'serve'),
    { status: 2, stderr: /unexpected argument `serve`/ },
    'a command line that begins with a flag belongs to serve',
  );
  t.end();
});

t.test('server does not start and says why when its flags are wrong', (t) => {
  const table: readonly [argv: string[], status: number, named: RegExp[]][] = [
    [
      ['--nonsense', '--drain-timeout', 'x', '--max-processes', '-1'],
      2,
      [/--nonsense/, /--drain-timeout/, /--max-processes/],
    ],
    [['serve', '--listen', 'tcp://x'], 2, [/unsupported --listen URL `tcp:\/\/x`; expected /]],
    [
      ['--listen', 'ws://localhost:1'],
      2,
      [/invalid websocket --listen URL `ws:\/\/localhost:1`; expected `ws:\/\/IP:PORT`/],
    ],
    [
      ['--listen', 'ws://0.0.0.0:0'],
      1,
      [/refusing to start non-loopback websocket listener 0\.0\.0\.0:0 without auth; /],
    ],
    [['--listen', server.url], 1, [/cannot listen on 127\.0\.0\.1:\d+/]],
  ];
  for (const [argv, status, named] of table) {
    const ended = run(...argv);
    t.equal(ended.status, status, argv.join(' '));
    for (const text of named) t.match(ended.stderr, text);
    t.equal(ended.stdout, '');
  }
  t.end();
});

// Unix sockets.

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

t.test('unix socket serves its owner, replaces a stale file and leaves a live one and other files alone', async (t) => {
  const path = join(folderOf(t), 'socket');
  const first = await startServer(t, { flags: ['--listen', `unix://${path}`] });
  t.match(first.stderr, `listening on: unix://${path}\n`);
  t.equal(statSync(path).mode & 0o777, 0o600);
  const raw = await (await first.wire()).initialize();
  t.match(await raw.request('command/exec', { command: ['echo', 'hi'] }), { result: { stdout: 'hi\n' } });

  const second = run('--listen', `unix://${path}`);
  t.same([second.status, second.stdout], [1, '']);
  t.match(second.stderr, /another server is listening/);
  t.ok(existsSync(path));

  await raw.close();
  await first.crash();
  t.ok(existsSync(path), 'a killed server leaves its file');
  const third = await startServer(t, { flags: ['--listen', `unix://${path}`] });
  await (await third.wire()).initialize();
  t.same(await third.stop(), { code: 0, signal: null });

  const file = join(folderOf(t), 'file');
  writeFileSync(file, 'precious');
  t.match(run('--listen', `unix://${file}`), { status: 1, stderr: /no socket/ });
  t.equal(statSync(file).size, 8);
});

t.test('server names the address and does not start when its port is taken', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  t.match(run('--listen', `ws://127.0.0.1:${port}`), { status: 1, stderr: new RegExp(`127\\.0\\.0\\.1:${port}`) });
  taken.close();
});

// Standard input and output.

t.test('stdio server writes only messages, refuses a line that is too long, and ends with its input', async (t) => {
  const stdio = spawnServer(t, { flags: ['--max-frame-bytes', '2k'] });
  const wire = stdio.stdio();
  wire.send({ ...INITIALIZE, jsonrpc: '2.0' });
  t.match(await wire.replyTo(0), { jsonrpc: '2.0', id: 0, result: { serverInfo: { name: 'execwire' } } });
  wire.send('');
  wire.send('x'.repeat(3000));
  wire.send('nonsense');
  wire.send({ id: 'a', method: 'command/exec', params: { command: ['echo', '€'] } });
  t.match(await wire.replyTo('a'), { id: 'a', result: { exitCode: 0, stdout: '€\n' } });
  t.match(wire.messages.slice(1), [
    { jsonrpc: '2.0', id: null, error: { code: -32600 } },
    { id: null, error: { code: -32700 } },
    { id: 'a' },
  ]);
  void wire.exec(['sh', '-c', 'echo $$; exec sleep 600'], { processId: 'p', streamStdoutStderr: true });
  await wire.said('p', '\n');
  const pid = Number(wire.output('p'));
  t.ok(isAlive(pid));
  wire.stdin.end();
  t.same(await stdio.exited, { code: 0, signal: null });
  await until('the command is gone', () => !isAlive(pid));
  t.notMatch(stdio.stderr, 'listening on', 'no banner');
});

t.test('stdio server goes on reading when its output is not read', async (t) => {
  const touch = join(folderOf(t), 'touched');
  const stdio = spawnServer(t);
  const wire = stdio.stdio();
  wire.stdout.pause();
  wire.send(INITIALIZE);
  const params = { command: ['sh', '-c', 'head -c 3000000 /dev/zero'], disableOutputCap: true };
  wire.send({ id: 1, method: 'command/exec', params });
  wire.send({ id: 2, method: 'command/exec', params: { command: ['touch', touch] } });
  await until('the second command has run', () => existsSync(touch));
  wire.stdout.resume();
  await Promise.all([0, 1, 2].map((id) => wire.replyTo(id)));
  wire.stdin.end();
  t.same(await stdio.exited, { code: 0, signal: null });
});

t.test('stdio server ends when its output is closed', async (t) => {
  const stdio = spawnServer(t);
  const wire = await stdio.stdio().initialize();
  wire.stdout.destroy();
  for (let id = 1; id < 5; id += 1) wire.send({ id, method: 'command/exec', params: { command: ['true'] } });
  t.same(await stdio.exited, { code: 0, signal: null });
});
