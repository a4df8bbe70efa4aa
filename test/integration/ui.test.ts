// Shows that a whole server serves the page of the terminal, how, and to whose pages it speaks. Opens no browser; test/browser does.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { ask } from '../support/ask.js';
import { send } from '../support/file-request.js';
import { startServer, type TestServer } from '../support/server.js';
import { SERVER, START_MS } from '../support/server-process.js';

const TOKEN = 'a-token-that-nobody-guesses';

/** Flags of a server that wants a token. */
function withToken(t: Test): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-ui-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'token'), TOKEN);
  return ['--ws-auth', 'capability-token', '--ws-token-file', join(folder, 'token')];
}

/** Addresses of the page's files, from the document as a browser would read them. */
async function assetsOf(server: TestServer): Promise<string[]> {
  const { body } = await ask(server, { path: '/terminal' });
  return [...body.matchAll(/(?:src|href)="([^"]+)"/g)]
    .map(([, address = '']) => address)
    .filter((address) => !address.startsWith('data:'))
    .map((address) => new URL(address, `http://${server.host}:${server.port}/terminal`).pathname);
}

/** What a path answers whoever takes an encoding. */
async function bytesOf(
  { host, port }: TestServer,
  path: string,
  encoding: string,
): Promise<{ encoding: string | undefined; bytes: Buffer }> {
  const asking = request({ host, port, path, headers: { 'accept-encoding': encoding }, agent: false }).end();
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { encoding: response.headers['content-encoding'], bytes: Buffer.concat(chunks) };
}

t.test('page is served only with --ui, and without a credential, because it holds no secret', async (t) => {
  const without = await startServer(t);
  for (const path of ['/terminal', '/terminal/']) t.equal((await ask(without, { path })).status, 404, path);
  const server = await startServer(t, { flags: ['--ui', ...withToken(t)] });
  const { status, headers, body } = await ask(server, { path: '/terminal' });
  t.equal(status, 200);
  t.match(headers, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
  });
  t.match(body, /<title>execwire<\/title>/);
  t.notMatch(body, /<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=/i, 'no script and no style is in the document');
  t.equal((await ask(server, { path: '/terminal', method: 'HEAD' })).status, 200);
  t.equal((await ask(server, { path: '/terminal?any=thing' })).status, 200);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
    t.equal((await ask(server, { path: '/terminal', method })).status, 405, method);
  const { status: moved, headers: where } = await ask(server, { path: '/terminal/' });
  t.equal(moved, 308);
  // Relative to the address that the browser has, which a proxy may have given a prefix.
  t.equal(new URL(where.location ?? '', 'https://host/box7/terminal/').href, 'https://host/box7/terminal');
});

t.test('page may load and connect to its own server alone', async (t) => {
  const server = await startServer(t, { flags: ['--ui'] });
  for (const path of ['/terminal', '/terminal/', ...(await assetsOf(server)), '/terminal/assets/none.js']) {
    const policy = String((await ask(server, { path })).headers['content-security-policy']);
    const rules = new Map(policy.split('; ').map((rule) => [rule.split(' ')[0], rule]));
    t.equal(rules.get('default-src'), "default-src 'none'", path);
    t.equal(rules.get('script-src'), "script-src 'self'", path);
    t.equal(rules.get('style-src'), "style-src 'self'", path);
    t.equal(rules.get('connect-src'), "connect-src 'self'", path);
    t.equal(rules.get('frame-ancestors'), "frame-ancestors 'none'", path);
    t.notMatch(policy, /unsafe|\*|https?:/, path);
  }
});

t.test('files of the page are kept for ever, because a changed one has another name', async (t) => {
  const server = await startServer(t, { flags: ['--ui'] });
  const assets = await assetsOf(server);
  t.ok(assets.length >= 2, 'a script and a style sheet');
  for (const path of assets) {
    t.match(path, /^\/terminal\/assets\/[\w-]+-[A-Z0-9]{8}\.(js|css)$/);
    const { status, headers, body } = await ask(server, { path });
    t.equal(status, 200, path);
    t.equal(headers['cache-control'], 'public, max-age=31536000, immutable');
    t.match(headers['content-type'], path.endsWith('.js') ? /^text\/javascript/ : /^text\/css/);
    t.equal(headers.vary, 'accept-encoding');
    const zipped = await bytesOf(server, path, 'gzip');
    t.equal(zipped.encoding, 'gzip');
    t.equal(String(gunzipSync(zipped.bytes)), body, 'the same, compressed');
    t.equal((await ask(server, { path, headers: { 'accept-encoding': 'gzip;q=0' } })).body, body);
  }
  for (const name of ['none.js', '..%2findex.html', '%2e%2e/%2e%2e/server.cjs', 'page'])
    t.equal((await ask(server, { path: `/terminal/assets/${name}` })).status, 404, name);
  t.equal((await ask(server, { path: '/terminal', upgrade: true })).status, 400, 'connections have paths of their own');
});

t.test('pages of the server itself may connect with --ui, and no others', async (t) => {
  const server = await startServer(t, { flags: ['--ui', '--files', ...withToken(t)] });
  const { host, port } = server;
  const bearer = { Authorization: `Bearer ${TOKEN}` };
  const cases: [origin: string, host: string, status: number][] = [
    [`http://${host}:${port}`, `${host}:${port}`, 101],
    [`http://localhost:${port}`, `localhost:${port}`, 101],
    [`http://localhost`, 'localhost:80', 101],
    // A proxy that ends TLS sends the name on, without the port of https.
    ['https://localhost', 'localhost', 101],
    ['https://localhost', 'localhost:443', 101],
    [`http://localhost:${port}`, `${host}:${port}`, 403],
    ['http://localhost:3000', `localhost:${port}`, 403],
    ['https://localhost', `localhost:${port}`, 403],
    ['http://evil.example', 'evil.example', 403],
    ['null', `${host}:${port}`, 403],
    ['', `${host}:${port}`, 403],
    [`http://${host}:${port}/`, `${host}:${port}`, 403],
    [`http://user@${host}:${port}`, `${host}:${port}`, 403],
  ];
  for (const [origin, to, status] of cases) {
    const headers = { Origin: origin, Host: to };
    t.equal(
      (await ask(server, { upgrade: true, headers: { ...headers, ...bearer } })).status,
      status,
      `${origin} ${to}`,
    );
    const refused = (await ask(server, { upgrade: true, headers })).status;
    t.equal(refused, status === 101 ? 401 : status, 'without a credential');
  }
  const own = { Origin: `http://${host}:${port}`, ...bearer };
  const folder = mkdtempSync(join(tmpdir(), 'execwire-ui-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  t.equal((await send(server, 'PUT', `${folder}/file`, { headers: own, body: 'dropped' })).status, 201);
  t.equal((await send(server, 'PUT', `${folder}/file`, { headers: { ...own, Origin: 'http://x' } })).status, 403);

  const without = await startServer(t);
  const itself = { Origin: `http://${without.host}:${without.port}` };
  t.equal((await ask(without, { upgrade: true, headers: itself })).status, 403, 'a server without pages knows none');
});

t.test('page comes compressed and whole when it is asked for many times at once', async (t) => {
  const server = await startServer(t, { flags: ['--ui'] });
  const [path = ''] = await assetsOf(server);
  const { body } = await ask(server, { path });
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(server, { path })));
  t.ok(answers.every((answer) => answer.body === body));
  const plain = await ask(server, { path: '/terminal' });
  const { encoding, bytes } = await bytesOf(server, '/terminal', 'br');
  t.same([encoding, String(bytes)], [undefined, plain.body], 'as it is for whoever takes no gzip');
});

t.test('server with --ui does not start on stdio', (t) => {
  const { status, stderr } = spawnSync(process.execPath, [SERVER, 'serve', '--ui'], {
    encoding: 'utf8',
    timeout: START_MS,
    killSignal: 'SIGKILL',
    input: '',
  });
  t.equal(status, 1);
  t.match(stderr, '--ui serves HTTP: it needs --listen ws:// or unix://');
  t.end();
});
