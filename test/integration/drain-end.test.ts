/** What a server answers at the very end of a drain, when it listens no more and connections that it has accepted still send requests. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type NetConnectOpts, type Socket, connect as tcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tls } from 'node:tls';
import t, { type Test } from 'tap';
import { selfSignedCertificate } from '../auth/self-signed-certificate.js';
import { upgradeRequest } from '../support/raw-socket.js';
import { startServer, type TestServer } from '../support/server.js';
import { until } from '../support/until.js';

const UPGRADE = upgradeRequest();
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
/** Requests with the status that each gets at the end of a drain. */
const QUESTIONS: readonly [what: string, request: string, status: string][] = [
  ['an upgrade', UPGRADE, '503'],
  ['an upgrade of a client that comes back', UPGRADE.replace('GET /', 'GET /?key=gone'), '503'],
  ['an upgrade below a path', UPGRADE.replace('GET /', 'GET /box'), '503'],
  ['/readyz', get('/readyz'), '503'],
  ['a file', get('/files/etc/hostname'), '503'],
  ['/healthz', get('/healthz'), '200'],
];

/** The status of the answer; `closed` if the connection is closed without one. */
async function statusOf(socket: Socket, request: string): Promise<string> {
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text;
  });
  socket.write(request);
  if (!socket.destroyed) await once(socket, 'close').catch(() => {});
  return answer === '' ? 'closed' : (answer.split(' ')[1] ?? answer);
}

/** @param open opens a connection to the server, whose `connect` event is named `opened` */
async function askAtTheEnd(t: Test, server: TestServer, open: () => Socket, opened: string): Promise<void> {
  const sockets = await Promise.all(
    QUESTIONS.map(async () => {
      const socket = open();
      t.teardown(() => socket.destroy());
      await once(socket, opened);
      return socket.on('error', () => {});
    }),
  );
  // The kernel hands over connections in their order, so the server has accepted all of them when it answers this one.
  const last = open();
  await once(last, opened);
  t.equal(await statusOf(last, get('/healthz')), '200');
  server.signal('SIGTERM');
  await until('the server listens no more', async () => {
    const probe = open();
    const isOpen = await once(probe, opened).then(
      () => true,
      () => false,
    );
    probe.destroy();
    return !isOpen;
  });
  const statuses = await Promise.all(QUESTIONS.map(([, request], at) => statusOf(sockets[at] as Socket, request)));
  for (const [at, [what, , status]] of QUESTIONS.entries()) {
    // A machine that has much else to do may ask after the server has cut the connections, a second later.
    t.ok([status, 'closed'].includes(statuses[at] ?? ''), `${what}: ${statuses[at]}, expected ${status}`);
  }
  t.strictSame(await server.exited, { code: 0, signal: null });
}

t.test('requests and upgrades get 503, never 404, when a TCP listener has closed after a drain', async (t) => {
  const server = await startServer(t, { flags: ['--files'] });
  const { host, port } = server;
  await askAtTheEnd(t, server, () => tcp({ host, port }), 'connect');
});

t.test(
  'requests and upgrades get 503, never 404, when a listener on a Unix socket has closed after a drain',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'execwire-drain-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'socket');
    const server = await startServer(t, { flags: ['--files'], listen: `unix://${path}` });
    await askAtTheEnd(t, server, () => tcp({ path } satisfies NetConnectOpts), 'connect');
  },
);

t.test('requests and upgrades get 503, never 404, when a TLS listener has closed after a drain', async (t) => {
  const { cert, key } = selfSignedCertificate('localhost');
  const folder = t.testdir({ 'cert.pem': cert, 'key.pem': key });
  const flags = ['--files', '--tls-cert', `${folder}/cert.pem`, '--tls-key', `${folder}/key.pem`];
  const server = await startServer(t, { flags });
  const { host, port } = server;
  await askAtTheEnd(t, server, () => tls({ host, port, ca: cert, servername: 'localhost' }), 'secureConnect');
});
