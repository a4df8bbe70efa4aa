// Shows what HTTP tells of a tar beside its bytes, and the time that a written file gets: what `execwire cp` builds on.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { startServer } from '../support/server.js';

const server = await startServer(t, { flags: ['--files'] });
const d = mkdtempSync(`${tmpdir()}/execwire-http-tar-`);
t.teardown(() => rmSync(d, { recursive: true, force: true }));

async function ask(method: string, path: string, body?: string): Promise<{ response: IncomingMessage; body: string }> {
  const headers = method === 'GET' ? { accept: 'application/x-tar' } : {};
  const asking = request({
    host: server.host,
    port: server.port,
    method,
    path: `/files${path}`,
    headers,
    agent: false,
  });
  asking.end(body);
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  return { response, body: await text(response) };
}

t.test('GET of a tar names in its trailers what is left out when pipes are in the folder', async (t) => {
  mkdirSync(`${d}/some/sub`, { recursive: true });
  execFileSync('mkfifo', [`${d}/some/sub/a, b`]);
  const { response } = await ask('GET', `${d}/some`);
  t.same(response.trailers, { 'x-execwire-left-out': '1', 'x-execwire-left-out-names': 'sub%2Fa%2C%20b' });
  rmSync(`${d}/some/sub/a, b`);
  t.same((await ask('GET', `${d}/some`)).response.trailers, {});
  mkdirSync(`${d}/many`);
  const names = Array.from({ length: 100 }, (_, at) => `${d}/many/${'x'.repeat(100)}${at}`);
  execFileSync('mkfifo', names);
  const { trailers } = (await ask('GET', `${d}/many`)).response;
  t.equal(trailers['x-execwire-left-out'], '100');
  const told = String(trailers['x-execwire-left-out-names']);
  t.ok(told.length > 3000 && told.length <= 4096, 'the names are bounded, the number is not');
});

t.test('GET ?check=1 says why a tar cannot be finished when a name in the folder is no UTF-8', async (t) => {
  mkdirSync(`${d}/odd`);
  writeFileSync(`${d}/odd/f`, 'x'.repeat(1000));
  t.match(await ask('GET', `${d}/odd?check=1`), { response: { statusCode: 204 }, body: '' });
  writeFileSync(Buffer.concat([Buffer.from(`${d}/odd/n`), Buffer.from([0xff])]), '');
  const { response, body } = await ask('GET', `${d}/odd?check=1`);
  t.equal(response.statusCode, 400);
  t.match(JSON.parse(body), { reason: 'invalid', message: /no UTF-8/ });
});

t.test('PUT gives a file the time of ?mtime, and refuses what is no time', async (t) => {
  t.equal((await ask('PUT', `${d}/f?mtime=981173106123&mode=0640`, 'x')).response.statusCode, 201);
  t.equal(Math.round(statSync(`${d}/f`).mtimeMs), 981_173_106_123);
  t.equal(statSync(`${d}/f`).mode & 0o777, 0o640);
  for (const wrong of ['', 'x', '1.5', '1e3', '99999999999999']) {
    const { response, body } = await ask('PUT', `${d}/none?mtime=${wrong}`, 'x');
    t.equal(response.statusCode, 400, wrong);
    t.match(JSON.parse(body), { reason: 'invalid', message: /milliseconds/ });
  }
  t.throws(() => statSync(`${d}/none`));
});
