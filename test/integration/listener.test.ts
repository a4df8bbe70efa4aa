// What stands around the sessions: banner, flags, HTTP routes, upgrades, frames and their limits, Unix sockets, standard input and output.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { version } from '../../src/version.js';
import type { Json } from '../support/memory-transport.js';
import type { RawClient } from '../support/raw-client.js';
import { isAlive, SERVER, spawnServer, startServer, until } from '../support/server.js';

const server = await startServer(t, ['--max-frame-bytes', '1m']);
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

t.test('banner is the first thing on stderr, exactly, and stdout stays empty', async (t) => {
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
  'probes answer GET and HEAD with 200 and nothing, and other methods with 405, whatever they carry',
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

t.test('unknown paths are 404, upgrades on an HTTP route 400, and on any other path they are sessions', async (t) => {
  for (const path of ['/', '/nothing', '/healthz/x', '/%2e%2e/etc/passwd'])
    t.equal((await http('GET', path)).status, 404, path);
  for (const path of ['/healthz', '/livez', '/readyz']) t.equal((await http('GET', path, UPGRADE)).status, 400, path);
  for (const path of ['/', '/rpc', '/any/path?with=query', '/%20']) {
    const raw = await server.raw(path);
    t.match(
      await (await raw.initialize()).request('command/exec', { command: ['true'] }),
      { result: { exitCode: 0 } },
      path,
    );
    await raw.close();
  }
});

t.test('request that wishes for another upgrade is answered as if it had none', async (t) => {
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
  t.equal(sockets.size, 1, 'the connection goes on');
});

t.test('anything with an Origin is refused with 403, any value of it', async (t) => {
  for (const origin of ['http://evil.example', 'null', '', server.httpUrl]) {
    t.equal((await http('GET', '/', { ...UPGRADE, Origin: origin })).status, 403, JSON.stringify(origin));
    t.equal((await http('GET', '/healthz', { Origin: origin })).status, 403);
  }
  t.equal((await http('GET', '/', UPGRADE)).status, 101);
});

t.test('fragments are joined, pings answered, and text is UTF-8', async (t) => {
  const raw = await (await server.raw()).initialize();
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
  const table: readonly [name: string, send: (raw: RawClient) => void, code: number][] = [
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
    ['a good-bye', ({ ws }) => ws.close(1000), 1000],
  ];
  for (const [name, send, code] of table) {
    const raw = await (await server.raw()).initialize();
    send(raw);
    t.equal((await raw.closed).code, code, name);
  }
  const atLimit = await (await server.raw()).initialize();
  const padding = 'x'.repeat(1024 * 1024 - 40);
  atLimit.send(`{"id":1,"method":"m","params":"${padding}"}`.slice(0, 1024 * 1024));
  t.match(await atLimit.next(({ id }) => id === 1 || id === null), { error: {} }, 'a message at the limit is answered');
  await atLimit.close();
});

t.test('nothing is executed when it comes in after the server’s own Close', async (t) => {
  const folder = folderOf(t);
  const raw = await (await server.raw()).initialize();
  const touch = join(folder, 'touched');
  raw.ws.send(Buffer.from('{}'), { binary: true });
  raw.send({ id: 1, method: 'command/exec', params: { command: ['touch', touch] } });
  t.equal((await raw.closed).code, 1003);
  await server.untilIdle();
  t.notOk(existsSync(touch));
});

// The program.

function run(...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [SERVER, ...argv], { encoding: 'utf8', input: '', timeout: 20_000 });
}

t.test('help and version are printed on stdout with exit code 0', (t) => {
  for (const flag of ['--help', '-h'])
    t.match(run(flag), { status: 0, stdout: /--listen URL[\s\S]*EXECWIRE_LISTEN/, stderr: '' });
  t.match(run('serve', '--help'), { status: 0, stdout: /--listen/ });
  for (const flag of ['--version', '-V']) t.match(run(flag), { status: 0, stdout: `${version}\n`, stderr: '' });
  t.end();
});

t.test('unknown command is an error that names the nearest one', (t) => {
  t.match(run('srve', '--listen', 'stdio://'), {
    status: 125,
    stdout: '',
    stderr: /^unknown command `srve`; did you mean `serve`\?/,
  });
  t.match(run('frobnicate'), {
    status: 125,
    stdout: '',
    stderr: /^unknown command `frobnicate`; see `execwire help`\n$/,
  });
  t.match(run('help', 'srve'), { status: 125, stderr: /`serve`/ });
  t.match(run('help', 'serve'), { status: 0, stdout: /--listen/ });
  t.match(run('help'), { status: 0, stdout: /^ {2}serve /m });
  t.match(
    run('--', 'serve'),
    { status: 2, stderr: /unexpected argument `serve`/ },
    'a line that begins with a flag is of serve',
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
  const first = await startServer(t, ['--listen', `unix://${path}`]);
  t.match(first.stderr, `listening on: unix://${path}\n`);
  t.equal(statSync(path).mode & 0o777, 0o600);
  const raw = await (await first.raw()).initialize();
  t.match(await raw.request('command/exec', { command: ['echo', 'hi'] }), { result: { stdout: 'hi\n' } });

  const second = run('--listen', `unix://${path}`);
  t.same([second.status, second.stdout], [1, '']);
  t.match(second.stderr, /another server is listening/);
  t.ok(existsSync(path));

  await raw.close();
  first.child.kill('SIGKILL');
  await first.ended;
  t.ok(existsSync(path), 'a killed server leaves its file');
  const third = await startServer(t, ['--listen', `unix://${path}`]);
  await (await third.raw()).initialize();
  third.child.kill('SIGTERM');
  t.equal(await third.ended, 0);

  const file = join(folderOf(t), 'file');
  writeFileSync(file, 'precious');
  t.match(run('--listen', `unix://${file}`), { status: 1, stderr: /no socket/ });
  t.equal(statSync(file).size, 8);
});

t.test('port that is taken is an error with its address', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  t.match(run('--listen', `ws://127.0.0.1:${port}`), { status: 1, stderr: new RegExp(`127\\.0\\.0\\.1:${port}`) });
  taken.close();
});

// Standard input and output.

interface Stdio {
  send(message: Json | string): void;
  next(): Promise<Json>;
  end(): void;
  readonly server: ReturnType<typeof spawnServer>;
}

function stdio(t: Test, flags: string[] = []): Stdio {
  const started = spawnServer(t, flags);
  const { stdin, stdout } = started.child;
  if (stdin === null || stdout === null) throw new Error('no pipes');
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return {
    server: started,
    send: (message) => stdin.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`),
    next: async () => JSON.parse(String((await lines.next()).value)) as Json,
    end: () => stdin.end(),
  };
}

t.test('stdio carries messages only, skips what is too long, and ends with its input', async (t) => {
  const wire = stdio(t, ['--max-frame-bytes', '2k']);
  wire.send({ ...INITIALIZE, jsonrpc: '2.0' });
  t.match(await wire.next(), { jsonrpc: '2.0', id: 0, result: { serverInfo: { name: 'execwire' } } });
  wire.send('');
  wire.send('x'.repeat(3000));
  t.match(await wire.next(), { jsonrpc: '2.0', id: null, error: { code: -32600 } });
  wire.send('nonsense');
  t.match(await wire.next(), { id: null, error: { code: -32700 } });
  wire.send({ id: 'a', method: 'command/exec', params: { command: ['echo', '€'] } });
  t.match(await wire.next(), { id: 'a', result: { exitCode: 0, stdout: '€\n' } });
  const params = { command: ['sh', '-c', 'echo $$; exec sleep 600'], processId: 'p', streamStdoutStderr: true };
  wire.send({ id: 'b', method: 'command/exec', params });
  const { params: delta } = (await wire.next()) as { params: { deltaBase64: string } };
  const pid = Number(Buffer.from(delta.deltaBase64, 'base64').toString());
  t.ok(isAlive(pid));
  wire.end();
  t.equal(await wire.server.ended, 0);
  await until('the command is gone', () => !isAlive(pid));
  t.notMatch(wire.server.stderr, 'listening on', 'no banner');
});

t.test('stdio goes on reading when nobody reads its output', async (t) => {
  const touch = join(folderOf(t), 'touched');
  const wire = stdio(t);
  wire.server.child.stdout?.pause();
  wire.send(INITIALIZE);
  const params = { command: ['sh', '-c', 'head -c 3000000 /dev/zero'], disableOutputCap: true };
  wire.send({ id: 1, method: 'command/exec', params });
  wire.send({ id: 2, method: 'command/exec', params: { command: ['touch', touch] } });
  await until('the second command has run', () => existsSync(touch));
  wire.server.child.stdout?.resume();
  for (const id of [0, 2, 1]) t.equal((await wire.next()).id, id);
  wire.end();
  t.equal(await wire.server.ended, 0);
});

t.test('stdio server ends when nobody reads its output any more', async (t) => {
  const wire = stdio(t);
  wire.send(INITIALIZE);
  await wire.next();
  wire.server.child.stdout?.destroy();
  for (let id = 1; id < 5; id += 1) wire.send({ id, method: 'command/exec', params: { command: ['true'] } });
  t.equal(await wire.server.ended, 0);
});

t.test('server is as it was when all peers have gone', async (t) => {
  await server.endsClean(t);
});
