// Shows which clients a whole server admits, by credential, origin, host, socket and certificate, and that no credential is revealed.
// Long because each of them has its own cases.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { connect } from '../../client/src/node.js';
import { bearerSubprotocol } from '../auth/bearer-subprotocol.js';
import { selfSignedCertificate } from '../auth/self-signed-certificate.js';
import { signedToken } from '../auth/signed-token.js';
import { ask } from '../support/ask.js';
import { startServer } from '../support/server.js';
import { SERVER, ServerProcess, START_MS } from '../support/server-process.js';
import { until } from '../support/until.js';
import { startReceiver } from '../telemetry/otlp-receiver.js';

const TOKEN = 'a-token-that-nobody-guesses';
const SECRET = 'a shared secret of more than thirty-two bytes';
const CLIENT = { name: 'test', version: '1' };
const isRoot = process.getuid?.() === 0;
/** A listener on all addresses runs in a network namespace of its own, so that it cannot be reached from outside. */
const canUnshare = isRoot && spawnSync('unshare', ['-n', 'true']).status === 0;

/** A folder of the test's own, with a path short enough for a socket. */
function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Writes a file of the test's own. @returns its path */
function file(t: Test, name: string, contents: string): string {
  const path = join(folderOf(t), name);
  writeFileSync(path, contents);
  return path;
}

const withTokenFile = (t: Test): string[] => [
  '--ws-auth',
  'capability-token',
  '--ws-token-file',
  file(t, 'token', TOKEN),
];
const withSecret = (t: Test, ...more: string[]): string[] => [
  ...['--ws-auth', 'signed-bearer-token', '--ws-shared-secret-file', file(t, 'secret', SECRET)],
  ...['--ws-max-clock-skew-seconds', '0', ...more],
];
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const nowSeconds = () => Date.now() / 1000;

/** Runs a server that is expected not to start. */
function refusedStart(...flags: string[]): { status: number | null; stdout: string; stderr: string } {
  const args = [SERVER, 'serve', ...flags];
  return spawnSync(process.execPath, args, { encoding: 'utf8', timeout: START_MS, killSignal: 'SIGKILL' });
}

t.test('upgrade is answered 401 with its reason when the credential is missing or wrong', async (t) => {
  async function expectAnswers(server: ServerProcess, cases: [object, number, string][]): Promise<void> {
    for (const [headers, status, body] of cases) {
      const answer = await ask(server, { upgrade: true, headers: { ...headers } });
      t.same([answer.status, answer.body], [status, body], JSON.stringify(headers));
      t.equal(answer.headers['www-authenticate'], status === 401 ? 'Bearer' : undefined);
    }
  }
  const byToken = await startServer(t, { flags: withTokenFile(t) });
  await expectAnswers(byToken, [
    [{}, 401, 'missing websocket bearer token'],
    [bearer('wrong'), 401, 'invalid websocket bearer token'],
    [{ Authorization: `Basic ${TOKEN}` }, 401, 'invalid authorization header'],
    [{ 'Sec-WebSocket-Protocol': `execwire.v1, ${bearerSubprotocol('wrong')}` }, 401, 'invalid websocket bearer token'],
    [bearer(TOKEN), 101, ''],
  ]);
  for (const path of ['/', '/any/path?x=1']) {
    t.equal((await ask(byToken, { upgrade: true, path: `${path}` })).status, 401, `${path} is no way around`);
  }
  for (const path of ['/healthz', '/livez', '/readyz']) {
    t.equal((await ask(byToken, { path })).status, 200, `${path} needs no token`);
  }

  const bySignature = await startServer(t, { flags: withSecret(t, '--ws-issuer', 'me', '--ws-audience', 'you') });
  const good = { exp: nowSeconds() + 60, iss: 'me', aud: 'you' };
  const signed = (claims: object) => bearer(signedToken({ ...good, ...claims }, SECRET));
  await expectAnswers(bySignature, [
    [{}, 401, 'missing websocket bearer token'],
    [bearer(signedToken(good, `another ${SECRET}`)), 401, 'invalid websocket jwt'],
    [signed({ exp: undefined }), 401, 'invalid websocket jwt'],
    [signed({ exp: nowSeconds() - 1 }), 401, 'expired websocket jwt'],
    [signed({ nbf: nowSeconds() + 60 }), 401, 'websocket jwt is not valid yet'],
    [signed({ iss: 'somebody' }), 401, 'websocket jwt issuer mismatch'],
    [signed({ aud: 'somebody' }), 401, 'websocket jwt audience mismatch'],
    [signed({}), 101, ''],
  ]);
});

t.test('upgrade echoes only execwire.v1 when a browser offers its token as another subprotocol', async (t) => {
  const server = await startServer(t, { flags: withTokenFile(t) });
  const offers: [string, string | undefined][] = [
    [`execwire.v1, ${bearerSubprotocol(TOKEN)}`, 'execwire.v1'],
    [`${bearerSubprotocol(TOKEN)}, execwire.v1`, 'execwire.v1'],
    [bearerSubprotocol(TOKEN), undefined],
  ];
  for (const [offer, echoed] of offers) {
    const answer = await ask(server, { upgrade: true, headers: { 'Sec-WebSocket-Protocol': offer } });
    t.same([answer.status, answer.headers['sec-websocket-protocol']], [101, echoed], offer);
    t.notMatch(JSON.stringify(answer.headers), bearerSubprotocol(TOKEN));
  }
  const client = await connect(server.url, { ...CLIENT, token: TOKEN });
  t.equal((await client.exec(['/bin/echo', 'in'])).stdout, 'in');
  await client.close();
});

t.test('connection is warned and closed with 1008 when its token expires', async (t) => {
  const server = await startServer(t, { flags: withSecret(t) });
  // A busy machine may not let the client in before the first tokens expire.
  let validSeconds = 3;
  let seen = await expiry(server, validSeconds);
  while (seen.messages.length === 0 && validSeconds < 100) {
    validSeconds *= 4;
    seen = await expiry(server, validSeconds);
  }
  const { code, reason, messages, exp } = seen;
  t.same([code, reason], [1008, 'credential expired']);
  t.match(messages, [{ id: 1 }, { method: 'server/authExpiring' }], 'warned, once it is initialized');
  t.equal(messages.length, 2, 'once, and nothing else');
  const leftMs = messages[1]?.params?.expiresInMs ?? 0;
  t.ok(leftMs > 0 && leftMs <= validSeconds * 1000, `${leftMs} ms before`);
  t.ok(nowSeconds() >= exp, 'not before its time');
});

interface Expiry {
  /** Of the Close; undefined when the token had expired before the upgrade. */
  readonly code?: number;
  readonly reason?: string;
  readonly messages: { id?: number; method?: string; params?: { expiresInMs: number } }[];
  readonly exp: number;
}

/** Connects with a token that is valid for so long, begins a command, and waits until the server closes the connection. */
async function expiry(server: ServerProcess, validSeconds: number): Promise<Expiry> {
  const exp = nowSeconds() + validSeconds;
  const socket = new WebSocket(server.url, { headers: bearer(signedToken({ exp }, SECRET)) });
  const messages: Expiry['messages'] = [];
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  const closed = once(socket, 'close');
  closed.catch(() => {});
  const isOpen = await once(socket, 'open').then(
    () => true,
    () => false,
  );
  if (!isOpen) return { messages, exp };
  const command = ['/bin/sleep', '60'];
  socket.send(JSON.stringify({ id: 1, method: 'initialize', params: { clientInfo: CLIENT } }));
  socket.send(JSON.stringify({ id: 2, method: 'command/exec', params: { command, disableTimeout: true } }));
  const [code, reason] = await closed;
  return { code, reason: String(reason), messages, exp };
}

t.test('token is in no log line, span or answer when it is good, wrong or misplaced', async (t) => {
  const receiver = await startReceiver(t);
  const server = await startServer(t, {
    flags: [...withTokenFile(t), '--log-level', 'trace'],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint },
  });
  const WRONG = 'a-wrong-token-of-somebody';
  const answers: unknown[] = [];
  for (const token of [TOKEN, WRONG]) {
    answers.push(await ask(server, { upgrade: true, headers: bearer(token) }));
    answers.push(await ask(server, { upgrade: true, headers: { 'Sec-WebSocket-Protocol': bearerSubprotocol(token) } }));
    answers.push(await ask(server, { upgrade: true, path: `/?token=${token}` }));
    answers.push(await ask(server, { path: `/healthz?token=${token}`, headers: bearer(token) }));
    answers.push(await ask(server, { path: `/healthz`, method: 'POST', headers: bearer(token) }));
    answers.push(await ask(server, { upgrade: true, path: '/healthz', headers: bearer(token) }));
    // Bytes that the HTTP parser rejects, after a credential.
    const socket = connectTcp(server.port, server.host);
    socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nX Y: z\r\n\r\n`);
    for await (const data of socket) answers.push(String(data));
    // A frame that breaks the protocol, after a good credential.
    const ws = new WebSocket(server.url, { headers: bearer(token) });
    ws.on('open', () => ws.send(Buffer.from('x')));
    ws.on('error', (error) => answers.push(error.message));
    await new Promise((resolve) => ws.on('close', resolve));
  }
  const client = await connect(server.url, { ...CLIENT, token: TOKEN });
  answers.push(await client.exec(['/usr/bin/env']));
  answers.push(await client.request('no/such/method').catch((error: Error) => error.message));
  await client.close();
  await server.stop();
  t.ok(receiver.spans.length > 0, 'spans were sent');
  const told = JSON.stringify({ answers, lines: server.lines, spans: receiver.spans });
  for (const token of [TOKEN, WRONG]) {
    const hex = Buffer.from(token).toString('hex');
    for (const form of [token, Buffer.from(token).toString('base64url'), hex, [...Buffer.from(token)].join(',')]) {
      t.notOk(told.includes(form), `not as ${form.slice(0, 12)}…`);
    }
  }
  t.ok(server.lines.length > 4, 'something was logged');
});

t.test('origin and host are checked on every route and upgrade before authentication', async (t) => {
  const server = await startServer(t, {
    flags: [...withTokenFile(t), '--allow-origin', 'https://app.example', '--allow-host', 'proxy.example'],
  });
  const ways = [
    ...['/', '/healthz', '/livez', '/readyz', '/metrics', '/unknown'].flatMap((path) => [
      { path, upgrade: true },
      { path, upgrade: false },
      { path, method: 'POST' },
      { path, method: 'OPTIONS' },
    ]),
  ];
  const refusedHeaders = [
    { Origin: 'https://evil.example' },
    { Origin: '' },
    { Origin: 'null' },
    { Host: 'evil.example' },
    { Host: `localhost.evil.example:${server.port}` },
    { Host: 'proxy.example', Origin: 'https://evil.example' },
    { Host: 'evil.example', Origin: 'https://app.example' },
  ];
  for (const way of ways) {
    for (const headers of refusedHeaders) {
      const answer = await ask(server, { ...way, headers: { ...headers, ...bearer(TOKEN) } });
      // Balancers send probes under a host name of their own, or none. A probe reveals nothing, so its host is not checked.
      const isProbe = !('method' in way) && !way.upgrade && ['/healthz', '/livez', '/readyz'].includes(way.path);
      const hasRefusedOrigin = 'Origin' in headers && headers.Origin !== 'https://app.example';
      const expected = isProbe && !hasRefusedOrigin ? 200 : 403;
      t.equal(answer.status, expected, JSON.stringify({ ...way, ...headers }));
    }
  }
  for (const headers of [{}, { Origin: 'https://app.example' }, { Host: 'proxy.example:8080' }, { Host: '[::1]' }]) {
    t.equal((await ask(server, { upgrade: true, headers: { ...headers } })).status, 401, 'then the credential counts');
    t.equal((await ask(server, { upgrade: true, headers: { ...headers, ...bearer(TOKEN) } })).status, 101);
    t.equal((await ask(server, { path: '/healthz', headers: { ...headers } })).status, 200);
  }
});

t.test(
  'log names an origin and a host when it is refused for the first time, and no more than 64 of them',
  async (t) => {
    const server = await startServer(t);
    const refused = () =>
      server.lines
        .filter((line) => line.includes('not allowed'))
        .map((line) => JSON.parse(line) as { level: number; msg: string; origin?: string; host?: string });
    const headers = [
      { Origin: 'https://evil.example' },
      { Host: 'evil.example' },
      { Origin: 'https://evil.example' },
      { Host: 'evil.example' },
      { Origin: 'null' },
      { Origin: `https://${'x'.repeat(5000)}.example` },
    ];
    for (const each of headers) {
      t.equal((await ask(server, { upgrade: true, headers: each })).status, 403);
      t.equal((await ask(server, { path: '/metrics', headers: each })).status, 403);
    }
    await until('the last one is logged', () => refused().length >= 4);
    t.match(refused(), [
      { level: 40, origin: 'https://evil.example', msg: /origin not allowed; --allow-origin/ },
      { level: 40, host: 'evil.example', msg: /host not allowed; --allow-host/ },
      { origin: 'null' },
      { origin: /^https:\/\/x{292}$/ },
    ]);
    for (let n = 0; n < 80; n += 1) {
      await ask(server, { path: '/readyz', headers: { Origin: `https://evil-${n}.example` } });
    }
    // The drain's last line comes after all of them.
    await server.stop();
    t.equal(refused().length, 64);
  },
);

t.test('server does not start when a reachable listener has no authentication', async (t) => {
  const { status, stdout, stderr } = refusedStart('--listen', 'ws://0.0.0.0:0');
  t.same([status, stdout], [1, '']);
  t.equal(
    stderr,
    'execwire: refusing to start non-loopback websocket listener 0.0.0.0:0 without auth; configure `--ws-auth capability-token` or ' +
      '`--ws-auth signed-bearer-token` (or say `--ws-auth none` where something else keeps strangers out)\n',
  );
  const missing = refusedStart(
    '--ws-auth',
    'capability-token',
    '--ws-token-file',
    '/nonexistent',
    '--listen',
    'ws://127.0.0.1:0',
  );
  t.equal(missing.status, 1);
  t.match(missing.stderr, 'failed to read --ws-token-file /nonexistent: ENOENT');
  const useless = refusedStart('--ws-token-file', '/nonexistent', '--listen', 'ws://127.0.0.1:0');
  t.equal(useless.status, 2);
  t.match(useless.stderr, 'websocket auth flags require `--ws-auth');
});

t.test('server logs a warning', { skip: canUnshare ? false : 'needs root and network namespaces' }, async (t) => {
  const warningsOf = async (...flags: string[]): Promise<string[]> => {
    const server = new ServerProcess({ listen: 'ws://0.0.0.0:0', flags, through: ['unshare', '-n'] });
    t.teardown(() => server.crash());
    await server.untilListening();
    await server.stop();
    const warnings = server.lines.filter((line) => line.startsWith('{') && line.includes('"warning"'));
    return warnings.map((line) => JSON.parse(line).warning);
  };
  await t.test('at each start when a reachable listener has no authentication', async (t) => {
    for (const round of [1, 2]) {
      t.match(await warningsOf('--ws-auth', 'none'), [/has no authentication \(--ws-auth none\)/], `start ${round}`);
    }
  });
  await t.test('at its start when tokens go over the network without TLS', async (t) => {
    t.match(await warningsOf(...withTokenFile(t)), [/without TLS.*--tls-cert and --tls-key.*load balancer/]);
  });
});

t.test('unix socket is mode 0600 when it can first be connected to', async (t) => {
  const folder = folderOf(t);
  const path = join(folder, 'socket');
  // A default access list that gives everyone all rights, if python3 and the file system can make one (setfacl is rarely there).
  const widen =
    'import os,struct,sys; os.setxattr(sys.argv[1], "system.posix_acl_default", struct.pack("<I", 2) + ' +
    'b"".join(struct.pack("<HHI", tag, 7, 0xffffffff) for tag in (1, 4, 0x20)))';
  spawnSync('python3', ['-c', widen, folder]);
  const modes = new Set<number>();
  // Reads the mode as fast as it can, from before the bind until the banner, in a process of its own.
  const script =
    'const { statSync } = require("fs"); const end = Date.now() + 20000; let n = 0; process.stdout.write("looking\\n");' +
    'while (Date.now() < end && n < 20000) { try { console.log(statSync(process.argv[1]).mode & 0o777); n++ } catch {} }';
  const watcher = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  // The watcher may end by itself before it is killed.
  const watched = once(watcher, 'close');
  watcher.stdout.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n')) if (/^\d+$/.test(line)) modes.add(Number(line));
  });
  await once(watcher.stdout, 'data');
  // The loosest mask there is, so that the mode comes from the server itself.
  const umask = ['sh', '-c', 'umask 0; exec "$@"', 'sh'];
  const server = await startServer(t, { listen: `unix://${path}`, through: umask });
  watcher.kill();
  await watched;
  t.equal(server.url, `unix://${path}`);
  t.ok(modes.size > 0, 'the watcher saw the socket');
  t.same([...modes], [0o600]);
  t.equal(statSync(path).mode & 0o777, 0o600);

  await t.test('server does not start when a link is at the path', async (t) => {
    const target = file(t, 'target', 'precious');
    const link = join(folder, 'link');
    symlinkSync(target, link);
    const { status, stderr } = refusedStart('--listen', `unix://${link}`);
    t.same([status, stderr], [1, `execwire: cannot listen on ${link}: a file that is no socket is in the way\n`]);
    t.equal(statSync(target).size, 8);
  });
});

t.test('listener with a certificate', async (t) => {
  const first = selfSignedCertificate('first');
  const folder = folderOf(t);
  writeFileSync(join(folder, 'cert.pem'), first.cert);
  writeFileSync(join(folder, 'key.pem'), first.key);
  const flags = [...withTokenFile(t), '--tls-cert', join(folder, 'cert.pem'), '--tls-key', join(folder, 'key.pem')];
  const server = await startServer(t, { flags });

  await t.test('banner says wss and the client is served when a certificate is given', async (t) => {
    t.match(server.url, /^wss:\/\/127\.0\.0\.1:\d+$/);
    const openSocket = (url: string, protocols: string[]) => new WebSocket(url, protocols, { ca: first.cert });
    const client = await connect(server.url, { ...CLIENT, openSocket, token: TOKEN });
    t.equal((await client.exec(['/bin/echo', 'safe'])).stdout, 'safe');
    await client.close();
    await t.rejects(connect(server.url, { ...CLIENT, token: TOKEN }), /SELF_SIGNED/, 'it is that certificate');
    await t.rejects(connect(server.url.replace('wss', 'ws'), { ...CLIENT, token: TOKEN }), 'not without TLS');
  });

  await t.test('certificate in use is the new one when the files were replaced', async (t) => {
    const subjectNow = async (): Promise<unknown> => {
      const socket = connectTls({ host: server.host, port: server.port, rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      return CN;
    };
    t.equal(await subjectNow(), 'first');
    const second = selfSignedCertificate('second');
    writeFileSync(join(folder, 'cert.pem'), second.cert);
    writeFileSync(join(folder, 'key.pem'), second.key);
    await until('the new certificate is in use', async () => (await subjectNow()) !== 'first');
    t.equal(await subjectNow(), 'second');
  });
});
