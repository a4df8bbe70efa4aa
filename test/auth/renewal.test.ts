// Shows what happens when a credential expires or a certificate is renewed while the server runs. Knows no upgrade.

import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { mock } from 'node:test';
import { connect } from 'node:tls';
import t from 'tap';
import { watchSessionExpiry } from '../../src/auth/session-expiry.js';
import { loadTlsPair, renewTlsPair } from '../../src/auth/tls-files.js';
import { selfSignedCertificate } from './self-signed-certificate.js';

t.test('session expiry', async (t) => {
  t.beforeEach(() => mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 }));
  t.afterEach(() => mock.timers.reset());

  function watch(expiresAtMs: number) {
    const events: string[] = [];
    const stop = watchSessionExpiry(expiresAtMs, {
      onExpiring: (leftMs) => events.push(`expiring ${leftMs}`),
      onExpired: () => events.push(`expired ${Date.now()}`),
    });
    return { events, stop };
  }

  await t.test('warns before the end, then ends, each once', async (t) => {
    const { events } = watch(1_100_000);
    mock.timers.tick(39_999);
    t.same(events, []);
    mock.timers.tick(1);
    t.same(events, ['expiring 60000']);
    mock.timers.tick(59_999);
    t.same(events, ['expiring 60000']);
    mock.timers.tick(1);
    t.same(events, ['expiring 60000', 'expired 1100000']);
    mock.timers.tick(1_000_000);
    t.equal(events.length, 2);
  });

  await t.test('warns at once when less than the warning time is left', async (t) => {
    t.same(watch(1_000_500).events, ['expiring 500']);
    t.same(watch(999_000).events, ['expiring 0', 'expired 1000000']);
  });

  await t.test('waits when the end is further away than a timer can count', async (t) => {
    const farMs = 2 ** 31 * 3;
    const { events } = watch(1_000_000 + farMs);
    mock.timers.tick(2 ** 31 - 1);
    t.same(events, []);
    mock.timers.tick(farMs - 2 ** 31 + 1);
    t.equal(events.length, 2);
  });

  await t.test('is silent when the connection closed before', async (t) => {
    const { events, stop } = watch(1_100_000);
    mock.timers.tick(40_000);
    stop();
    stop();
    mock.timers.tick(1_000_000);
    t.same(events, ['expiring 60000']);
  });

  await t.test('ends nothing when it is stopped from within the warning', async (t) => {
    const events: string[] = [];
    let stop = () => {};
    stop = watchSessionExpiry(1_100_000, { onExpiring: () => stop(), onExpired: () => events.push('expired') });
    mock.timers.tick(1_000_000);
    t.same(events, []);
  });
});

t.test('certificate is renewed without restart, and the last good pair stays when the files are broken', async (t) => {
  const [first, second] = [selfSignedCertificate('first'), selfSignedCertificate('second')];
  const dir = t.testdir({ cert: first.cert, key: first.key });
  const files = { certFile: join(dir, 'cert'), keyFile: join(dir, 'key') };
  const warnings: string[] = [];
  const loaded = loadTlsPair(files);
  const server = createServer(loaded, (_request, response) => response.end());
  const renewal = renewTlsPair(server, files, loaded, (message) => warnings.push(message));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    renewal.stop();
    server.close();
  });

  async function servedName(): Promise<unknown> {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const name = socket.getPeerCertificate().subject.CN;
    socket.destroy();
    return name;
  }

  t.equal(await servedName(), 'first');
  renewal.refresh();
  t.same(warnings, []);
  writeFileSync(files.certFile, second.cert);
  renewal.refresh();
  renewal.refresh();
  t.equal(await servedName(), 'first', 'certificate and key do not belong together yet');
  t.match(warnings, [/are not a usable pair: .*; the last good pair stays in force/]);
  t.equal(warnings.length, 1);
  writeFileSync(files.keyFile, second.key);
  renewal.refresh();
  t.equal(await servedName(), 'second');
  rmSync(files.keyFile);
  renewal.refresh();
  t.equal(await servedName(), 'second');
  t.match(warnings[1], /failed to read --tls-key .*: ENOENT/);
  t.equal(warnings.length, 2);
  t.notMatch(warnings.join(), /PRIVATE KEY/);
});

t.test('certificate files are read again every minute until the renewal is stopped', (t) => {
  const [first, second, third] = ['first', 'second', 'third'].map(selfSignedCertificate);
  if (first === undefined || second === undefined || third === undefined) throw new Error('three certificates');
  const dir = t.testdir({ cert: first.cert, key: first.key });
  const files = { certFile: join(dir, 'cert'), keyFile: join(dir, 'key') };
  const served: string[] = [];
  const server = { setSecureContext: (pair: { cert: Buffer }) => served.push(pair.cert.toString()) };
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const renewal = renewTlsPair(server, files, loadTlsPair(files), t.fail);
  mock.timers.tick(60_000);
  t.same(served, [], 'nothing changed');
  writeFileSync(files.certFile, second.cert);
  writeFileSync(files.keyFile, second.key);
  mock.timers.tick(60_000);
  t.same(served, [second.cert]);
  renewal.stop();
  writeFileSync(files.certFile, third.cert);
  writeFileSync(files.keyFile, third.key);
  mock.timers.tick(60_000);
  t.equal(served.length, 1);
  t.end();
});

t.test('certificate is refused at the start when files are missing or do not fit', (t) => {
  const [first, second] = [selfSignedCertificate('first'), selfSignedCertificate('second')];
  const dir = t.testdir({ cert: first.cert, key: first.key, other: second.key, junk: 'x' });
  const load = (cert: string, key: string) => () => loadTlsPair({ certFile: join(dir, cert), keyFile: join(dir, key) });
  t.doesNotThrow(load('cert', 'key'));
  const name = 'CredentialFileError';
  t.throws(load('none', 'key'), { name, message: /failed to read --tls-cert .*: ENOENT/ });
  t.throws(load('cert', 'none'), { name, message: /failed to read --tls-key .*: ENOENT/ });
  t.throws(load('cert', 'other'), { name, message: /are not a usable pair: / });
  t.throws(load('junk', 'key'), { name, message: /are not a usable pair: / });
  t.end();
});
