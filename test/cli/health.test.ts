// Shows what `execwire health` and `execwire install` tell a container.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { selfSignedCertificate } from '../auth/self-signed-certificate.js';
import { startServer } from '../support/server.js';
import { ServerProcess } from '../support/server-process.js';
import { CliProcess } from './cli-process.js';

const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  new CliProcess(args, { env }).ended;

t.test('health ends with 0 when the server answers, wherever its settings say that it listens', async (t) => {
  const plain = await startServer(t, { flags: ['--ws-auth', 'none'], listen: 'ws://0.0.0.0:0' });
  const everywhere = `ws://0.0.0.0:${plain.port}`;
  t.same(await run(['health', '--listen', everywhere]), { code: 0, signal: null, stdout: '', stderr: '' });
  t.match(await run(['health', '--ready'], { EXECWIRE_LISTEN: everywhere }), { code: 0, stderr: '' });
  const other = { EXECWIRE_LISTEN: 'ws://127.0.0.1:1' };
  t.match(await run(['health', '--listen', plain.url], other), { code: 0 }, 'the flag wins');
  t.match(await run(['health'], other), { code: 1, stderr: /^execwire: \/livez: .*ECONNREFUSED/ });

  const socket = join(mkdtempSync(join(tmpdir(), 'execwire-health-')), 's');
  t.teardown(() => rmSync(dirname(socket), { recursive: true }));
  const unix = await startServer(t, { listen: `unix://${socket}` });
  t.match(await run(['health'], { EXECWIRE_LISTEN: unix.url }), { code: 0, stderr: '' });

  const folder = t.testdir(selfSignedCertificate('elsewhere.example'));
  const [certFile, keyFile] = [join(folder, 'cert'), join(folder, 'key')];
  const secure = await startServer(t, { flags: ['--tls-cert', certFile, '--tls-key', keyFile], warm: false });
  const listen = secure.url.replace('wss:', 'ws:');
  t.match(await run(['health', '--listen', listen, '--tls-cert', certFile]), { code: 0, stderr: '' });
  t.match(await run(['health'], { EXECWIRE_LISTEN: listen, EXECWIRE_TLS_CERT: certFile }), { code: 0, stderr: '' });
  t.match(await run(['health', '--listen', listen]), { code: 1 }, 'without TLS nobody answers');
});

t.test('health ends with 1 when it asks whether a draining server is ready', async (t) => {
  const server = await ServerProcess.start({ flags: ['--drain-delay', '30s'] });
  t.teardown(() => server.crash());
  server.signal('SIGTERM');
  await server.logged('leaving');
  t.match(await run(['health', '--listen', server.url, '--ready']), { code: 1, stderr: '/readyz answers 503' });
  t.match(await run(['health', '--listen', server.url]), { code: 0 });
});

t.test('health says which setting is missing when nobody could be asked', async (t) => {
  for (const listen of [undefined, 'stdio://', 'ws://127.0.0.1:0']) {
    const args = listen === undefined ? [] : ['--listen', listen];
    t.match(
      await run(['health', ...args]),
      { code: 125, stderr: /EXECWIRE_LISTEN, or give --listen/ },
      listen ?? 'none',
    );
  }
  t.match(await run(['health', '--listen', 'localhost:1']), { code: 125, stderr: /unsupported --listen URL/ });
});

t.test('install copies the runtime folder, replaces an older copy, and leaves nothing else', async (t) => {
  const folder = t.testdir({});
  const from = join(folder, 'runtime');
  mkdirSync(join(from, 'bin'), { recursive: true });
  writeFileSync(join(from, 'bin/execwire'), 'new', { mode: 0o755 });
  const volume = join(folder, 'some/volume');
  const install = (dir: string) => run(['install', dir], { EXECWIRE_RUNTIME: from });
  t.match(await install(volume), { code: 0, stdout: `${volume}/execwire\n`, stderr: '' });
  writeFileSync(join(volume, 'execwire/old'), '');
  t.match(await install(volume), { code: 0 });
  t.same(readdirSync(volume), ['execwire']);
  t.equal(existsSync(join(volume, 'execwire/old')), false);
  t.equal(readFileSync(join(volume, 'execwire/bin/execwire'), 'utf8'), 'new');
  t.equal(statSync(join(volume, 'execwire/bin/execwire')).mode & 0o777, 0o755);
});

t.test('install says what is wrong when it cannot copy', async (t) => {
  const folder = t.testdir({ file: '', execwire: {} });
  const env = { EXECWIRE_RUNTIME: join(folder, 'execwire') };
  t.match(await run(['install', folder]), { code: 125, stderr: /does not run from a runtime folder/ });
  t.match(await run(['install'], env), { code: 125, stderr: /install needs a DIR/ });
  t.match(await run(['install', folder], env), { code: 125, stderr: /the folder that this program runs from/ });
  t.match(await run(['install', join(folder, 'file')], env), { code: 125, stderr: /install .*file: .*EEXIST/ });
});
