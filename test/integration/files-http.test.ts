// Shows files by HTTP over real sockets: verbs, ranges, conditions, tars, refusals, confinement, a full disk, and a request that breaks off.
// Long because each verb has its conditions and its refusals.
import { fork } from 'node:child_process';
import { once } from 'node:events';
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
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Member, tarOf } from '../files/tar-bytes.js';
import { type Got, type Sent, send } from '../support/file-request.js';
import { mountSmall } from '../support/mount-small.js';
import { startServer } from '../support/server.js';
import { until } from '../support/until.js';

const TAR = 'application/x-tar';
/** Content of files that no answer may have. */
const SECRET = 'what is outside';
/** Milliseconds for a race on a very busy machine. */
const RACE_LIMIT_MS = 600_000;
const IS_LINUX = process.platform === 'linux';

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'execwire-http-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function brokenOff(error: NodeJS.ErrnoException): Pick<Got, 'status' | 'body'> {
  if (error.code !== 'ECONNRESET') throw error;
  return { status: 0, body: Buffer.alloc(0) };
}

const server = await startServer(t, { flags: ['--files'] });

t.test('file is put, got, changed and removed when the conditions of the request hold', async (t) => {
  const d = folder(t);
  const made = await send(server, 'PUT', `${d}/f?mode=0640`, { body: 'hello' });
  t.equal(made.status, 201);
  t.equal(statSync(`${d}/f`).mode & 0o777, 0o640);
  const got = await send(server, 'GET', `${d}/f`);
  t.match(got, { status: 200, headers: { 'content-length': '5', 'x-content-type-options': 'nosniff' } });
  t.equal(got.body.toString(), 'hello');
  t.equal(got.headers.etag, made.headers.etag);
  const head = await send(server, 'HEAD', `${d}/f`);
  t.match(head, { status: 200, headers: { 'content-length': '5', etag: got.headers.etag } });
  t.equal(head.body.length, 0);
  const tag = String(got.headers.etag);
  t.equal((await send(server, 'GET', `${d}/f`, { headers: { 'if-none-match': tag } })).status, 304);
  t.equal((await send(server, 'GET', `${d}/f`, { headers: { 'if-match': '"other"' } })).status, 412);
  const stale = { headers: { 'if-match': '"other"' }, body: 'no' };
  t.match(await send(server, 'PUT', `${d}/f`, stale), { status: 412, reason: 'preconditionFailed' });
  t.equal((await send(server, 'PUT', `${d}/f`, { headers: { 'if-none-match': '*' }, body: 'no' })).status, 412);
  t.equal(readFileSync(`${d}/f`, 'utf8'), 'hello');
  t.equal((await send(server, 'PUT', `${d}/f`, { headers: { 'if-match': tag }, body: 'changed' })).status, 204);
  t.equal(
    (await send(server, 'PUT', `${d}/f`, { headers: { 'if-match': tag }, body: 'again' })).status,
    412,
    'the tag is old',
  );
  t.equal((await send(server, 'PUT', `${d}/new`, { headers: { 'if-match': '*' }, body: 'x' })).status, 412);
  t.equal(statSync(`${d}/f`).mode & 0o777, 0o640, 'the mode stays');
  t.equal((await send(server, 'DELETE', `${d}/f`, { headers: { 'if-match': tag } })).status, 412);
  t.equal((await send(server, 'DELETE', `${d}/f`)).status, 204);
  t.notOk(existsSync(`${d}/f`));
});

t.test('part of a file is got when a range asks for it', async (t) => {
  const d = folder(t);
  writeFileSync(`${d}/f`, '0123456789');
  const { headers } = await send(server, 'HEAD', `${d}/f`);
  const rows: [range: string, status: number, body: string, contentRange: string | undefined, ifRange?: string][] = [
    ['bytes=0-0', 206, '0', 'bytes 0-0/10'],
    ['bytes=3-5', 206, '345', 'bytes 3-5/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=-99', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=5-99', 206, '56789', 'bytes 5-9/10'],
    ['bytes=5-3', 200, '0123456789', undefined],
    ['bytes=0-1,3-4', 200, '0123456789', undefined],
    ['lines=0-1', 200, '0123456789', undefined],
    ['bytes=3-5', 206, '345', 'bytes 3-5/10', String(headers.etag)],
    ['bytes=3-5', 200, '0123456789', undefined, '"other"'],
  ];
  for (const [range, status, body, contentRange, ifRange] of rows) {
    const got = await send(server, 'GET', `${d}/f`, {
      headers: { range, ...(ifRange === undefined ? {} : { 'if-range': ifRange }) },
    });
    t.same([got.status, got.body.toString(), got.headers['content-range']], [status, body, contentRange], range);
  }
  for (const range of ['bytes=10-', 'bytes=-0']) {
    t.match(await send(server, 'GET', `${d}/f`, { headers: { range } }), {
      status: 416,
      reason: 'rangeNotSatisfiable',
    });
  }
});

t.test('folder is made, moved and removed when nothing is in the way', async (t) => {
  const d = folder(t);
  t.equal((await send(server, 'POST', `${d}/a?mkdir=1`)).status, 201);
  t.match(await send(server, 'POST', `${d}/a?mkdir=1`), { status: 409, reason: 'exists' });
  t.equal((await send(server, 'POST', `${d}/a/b/c?mkdir=1&recursive=1`)).status, 201);
  t.equal((await send(server, 'POST', `${d}/a?move=${encodeURIComponent(`${d}/ü x`)}`)).status, 204);
  t.ok(existsSync(`${d}/ü x/b/c`));
  writeFileSync(`${d}/f`, 'f');
  writeFileSync(`${d}/g`, 'g');
  t.match(await send(server, 'POST', `${d}/f?move=${d}/g`), { status: 409, reason: 'exists' });
  t.equal((await send(server, 'POST', `${d}/f?move=${d}/g&overwrite=1`)).status, 204);
  t.equal(readFileSync(`${d}/g`, 'utf8'), 'f');
  const path = encodeURI(`${d}/ü x`);
  t.match(await send(server, 'DELETE', path), { status: 409, reason: 'notEmpty' });
  t.equal((await send(server, 'DELETE', `${path}?recursive=1`)).status, 204);
});

t.test('refusal has a status and a reason when a request cannot be served', async (t) => {
  const d = folder(t);
  mkdirSync(`${d}/dir`);
  writeFileSync(`${d}/f`, '');
  const rows: [method: string, path: string, status: number, reason: string][] = [
    ['GET', `${d}/none`, 404, 'notFound'],
    ['GET', `${d}/dir`, 409, 'isADirectory'],
    ['GET', '/dev/null', 409, 'notAFile'],
    ['GET', '/proc/self/environ', 403, 'denied'],
    ['GET', `/${'a'.repeat(300)}`, 400, 'nameTooLong'],
    ['PUT', `${d}/none/f`, 404, 'notFound'],
    ['PUT', `${d}/dir`, 409, 'isADirectory'],
    ['PUT', `${d}/f?mode=rw`, 400, 'invalid'],
    ['DELETE', `${d}/none`, 404, 'notFound'],
    ['POST', `${d}/f`, 400, 'invalid'],
    ['POST', `${d}/f?move=relative`, 400, 'invalid'],
    ['PATCH', `${d}/f`, 405, 'methodNotAllowed'],
    ['GET', `${d}/%ff`, 400, 'invalid'],
    ['GET', '', 404, 'notFound'],
    ['PUT', `${d}/f?mod=0600`, 400, 'invalid'],
    ['PUT', `${d}/f?mode=0600&mode=0644`, 400, 'invalid'],
    ['DELETE', `${d}/f?recursive=yes`, 400, 'invalid'],
    ['POST', `${d}/new?mkdir=1&overwrite=1`, 400, 'invalid'],
    ['GET', `${d}/f?prefix=x`, 400, 'invalid'],
  ];
  for (const [method, path, status, reason] of rows) {
    const body = method === 'PUT' ? { body: 'x' } : {};
    const got = await send(server, method, path, body);
    t.same([got.status, got.reason], [status, reason], `${method} ${path.slice(0, 60)}`);
  }
  const conditions: Readonly<Record<string, string>>[] = [{ 'if-match': '*' }, { 'if-none-match': '*' }];
  const withHeaders: [method: string, path: string, headers: Readonly<Record<string, string>>][] = [
    // curl -C sends a piece so.
    ['PUT', `${d}/f`, { 'content-range': 'bytes 5-9/10' }],
    ...conditions.flatMap((condition): [string, string, Readonly<Record<string, string>>][] => [
      ['PUT', `${d}/dir`, { 'content-type': TAR, ...condition }],
      ['GET', `${d}/dir`, { accept: TAR, ...condition }],
      ['POST', `${d}/f?move=${d}/g`, condition],
    ]),
    ['GET', `${d}/dir?prefix=../x`, { accept: TAR }],
    ['GET', `${d}/dir?prefix=/x`, { accept: TAR }],
  ];
  for (const [method, path, headers] of withHeaders) {
    const got = await send(server, method, path, { headers, ...(method === 'PUT' ? { body: 'x' } : {}) });
    t.match(got, { status: 400, reason: 'invalid' }, `${method} ${path} ${JSON.stringify(headers)}`);
  }
  t.equal(readFileSync(`${d}/f`, 'utf8'), '');
  t.match(await send(server, 'GET', `${d}/dir`, { headers: { accept: 'Application/X-Tar' } }), { status: 200 });
  t.match(await send(server, 'GET', `${d}/dir`, { headers: { accept: `${TAR};q=0` } }), { reason: 'isADirectory' });
  const version = await send(server, 'GET', '/proc/version', { headers: { range: 'bytes=0-' } });
  t.equal(version.status, 200, 'a file of size 0 that has content');
  t.ok(version.body.length > 0);
  t.equal((await send(server, 'GET', `${d}/f`, { headers: { origin: 'http://evil.example' } })).status, 403);
});

t.test('folder comes as a tar, and a tar becomes a folder, when the request names that type', async (t) => {
  const d = folder(t);
  mkdirSync(`${d}/a/b`, { recursive: true });
  writeFileSync(`${d}/a/b/f`, 'content', { mode: 0o700 });
  const got = await send(server, 'GET', `${d}/a`, { headers: { accept: TAR } });
  t.match(got, { status: 200, headers: { 'content-type': TAR, 'x-execwire-kind': 'folder' } });
  t.match(await send(server, 'HEAD', `${d}/a/b/f`, { headers: { accept: TAR } }), {
    status: 200,
    headers: { 'x-execwire-kind': 'file' },
  });
  const put = await send(server, 'PUT', `${d}/c`, { headers: { 'content-type': TAR }, body: got.body });
  t.equal(put.status, 204);
  t.equal(readFileSync(`${d}/c/b/f`, 'utf8'), 'content');
  t.equal(statSync(`${d}/c/b/f`).mode & 0o777, 0o700);
  const hostile: Member[] = [{ path: 'good' }, { path: '../x', content: 'out' }];
  const refused = await send(server, 'PUT', `${d}/c`, { headers: { 'content-type': TAR }, body: tarOf(hostile) });
  t.match(refused, { status: 400, reason: 'invalid' });
  t.same(readdirSync(`${d}/c`), ['b']);
  t.notOk(existsSync(`${d}/x`));
});

t.test('old file stays when a put breaks off in the middle', async (t) => {
  const d = folder(t);
  writeFileSync(`${d}/f`, 'old');
  const { host, port } = server;
  for (const headers of [{ 'content-length': '1000000' }, {}]) {
    const asking = request({ host, port, method: 'PUT', path: `/files${d}/f`, headers, agent: false });
    asking.on('error', () => {});
    asking.write(Buffer.alloc(300_000));
    await until('the new content is being written', () => readdirSync(d).length === 2);
    asking.destroy();
    await until('the new content is dropped', () => readdirSync(d).length === 1);
    t.equal(readFileSync(`${d}/f`, 'utf8'), 'old');
  }
});

t.test(
  'place is free again when a client takes nothing of its answer, or gives next to nothing of a body',
  async (t) => {
    const d = folder(t);
    const impatient = await startServer(t, { flags: ['--files', '--stall-timeout', '300ms'] });
    const { host, port } = impatient;
    writeFileSync(`${d}/large`, Buffer.alloc(50_000_000));
    const getting = request({ host, port, path: `/files${d}/large`, agent: false });
    getting.end();
    const [unread] = (await once(getting, 'response')) as [IncomingMessage];
    unread.on('error', () => {});
    const isOpen = (): boolean => impatient.descriptors().some((descriptor) => descriptor.includes(`${d}/large`));
    await until('the file is closed', () => !isOpen());
    getting.destroy();
    const putting = request({ host, port, method: 'PUT', path: `/files${d}/trickle`, agent: false });
    putting.on('error', () => {});
    const ended = new Promise((resolve) => putting.once('close', resolve).once('response', resolve));
    const trickle = setInterval(() => putting.write('x'), 20);
    t.equal(((await ended) as IncomingMessage | undefined)?.statusCode, 408);
    clearInterval(trickle);
    putting.destroy();
    await until('no half file is left', () => readdirSync(d).length === 1);
  },
);

t.test('requests are counted, and each has a line in the log', async (t) => {
  const d = folder(t);
  const watched = await startServer(t, { flags: ['--files', '--log-level', 'debug'], warm: false });
  await send(watched, 'PUT', `${d}/f`, { body: 'x'.repeat(1000) });
  await send(watched, 'GET', `${d}/f`);
  await send(watched, 'GET', `${d}/none`);
  await send(watched, 'GET', d, { headers: { accept: TAR } });
  await send(watched, 'PATCH', `${d}/f`);
  const { host, port } = watched;
  const broken = request({ host, port, method: 'PUT', path: `/files${d}/g`, agent: false });
  broken.on('error', () => {});
  broken.write('y'.repeat(500));
  await until('the body has begun', () => readdirSync(d).length === 2);
  t.match((await watched.get('/metrics')).body, /^execwire_file_requests_in_flight 1$/m);
  broken.destroy();
  const lines = (): Record<string, unknown>[] =>
    watched.lines.flatMap((line) => (line.includes('"file request"') ? [JSON.parse(line)] : []));
  await until('all have ended', () => lines().length === 6);
  const file = { path: `${d}/f`, principal: 'anonymous', durationMs: Number };
  t.match(lines(), [
    { ...file, level: 30, method: 'PUT', status: 201, receivedBytes: 1000, sentBytes: 0 },
    { ...file, level: 20, method: 'GET', status: 200, receivedBytes: 0, sentBytes: 1000 },
    { level: 20, method: 'GET', status: 404, path: `${d}/none` },
    { level: 20, method: 'GET', status: 200, path: d, sentBytes: Number },
    { level: 30, method: 'other', status: 405 },
    { level: 30, method: 'PUT', status: 'broken', receivedBytes: 500, path: `${d}/g` },
  ]);
  const tarBytes = Number(lines()[3]?.sentBytes);
  t.ok(tarBytes > 2048 && tarBytes % 512 === 0);
  const { body } = await watched.get('/metrics');
  for (const line of [
    'execwire_file_requests_total{method="PUT",status="201"} 1',
    'execwire_file_requests_total{method="PUT",status="broken"} 1',
    'execwire_file_requests_total{method="GET",status="404"} 1',
    'execwire_file_requests_total{method="other",status="405"} 1',
    'execwire_file_request_duration_seconds_count{method="GET"} 3',
    'execwire_file_requests_in_flight 0',
    'execwire_file_bytes_total{direction="received"} 1500',
    `execwire_file_bytes_total{direction="sent"} ${1000 + tarBytes}`,
  ]) {
    t.ok(body.split('\n').includes(line), line);
  }
});

t.test('files need a credential when an upgrade does, and are not found when they are switched off', async (t) => {
  const d = folder(t);
  const token = 'a-token-of-a-test-0123456789';
  writeFileSync(`${d}/token`, token, { mode: 0o600 });
  writeFileSync(`${d}/f`, 'x');
  const flags = ['--files', '--ws-auth', 'capability-token', '--ws-token-file', `${d}/token`];
  const guarded = await startServer(t, { flags, warm: false });
  const { body: said, ...unknown } = await send(guarded, 'GET', `${d}/f`);
  t.match(unknown, { status: 401, reason: 'unauthorized' });
  t.notMatch(said.toString(), /websocket/);
  t.match(await send(guarded, 'PUT', `${d}/f`, { body: 'no' }), { status: 401 });
  const headers = { authorization: `Bearer ${token}` };
  t.equal((await send(guarded, 'GET', `${d}/f`, { headers })).body.toString(), 'x');
  t.match(await send(guarded, 'GET', `${d}/token`, { headers }), { status: 403, reason: 'denied' });
  t.match(await send(guarded, 'PUT', `${d}/token`, { headers, body: 'mine' }), { status: 403, reason: 'denied' });
  t.match(await send(guarded, 'DELETE', `${d}?recursive=1`, { headers }), { status: 403, reason: 'denied' });
  const tar = await send(guarded, 'GET', d, { headers: { ...headers, accept: TAR } });
  t.notOk(tar.body.includes(token));
  const off = await startServer(t);
  t.equal((await send(off, 'GET', `${d}/f`)).status, 404);
});

t.test(
  'request reads and changes nothing outside the root when folders are swapped for links meanwhile',
  { skip: !IS_LINUX && 'needs openat2', timeout: RACE_LIMIT_MS },
  async (t) => {
    const d = folder(t);
    const [root, outside] = [`${d}/root`, `${d}/outside`];
    mkdirSync(root);
    mkdirSync(`${outside}/sub`, { recursive: true });
    writeFileSync(`${outside}/file`, SECRET);
    writeFileSync(`${outside}/sub/file`, SECRET);
    const confined = await startServer(t, { flags: ['--files', '--files-root', root] });
    const racer = fork(new URL('../files/racer.mjs', import.meta.url).pathname, [root, outside], { execArgv: [] });
    t.teardown(() => racer.kill());
    await once(racer, 'message');
    const file = `${root}/folder/file`;
    const requests: [method: string, path: string, sent?: Sent][] = [
      ['GET', file],
      ['GET', `${root}/folder`, { headers: { accept: TAR } }],
      ['HEAD', file],
      ['PUT', file, { body: 'written' }],
      [
        'PUT',
        `${root}/folder`,
        { headers: { 'content-type': TAR }, body: tarOf([{ path: 'sub/file', content: 'tar' }]) },
      ],
      ['POST', `${root}/folder/made?mkdir=1`],
      ['POST', `${file}?move=${root}/moved&overwrite=1`],
      ['POST', `${root}/moved?move=${file}&overwrite=1`],
      ['DELETE', file],
      ['DELETE', `${root}/folder/sub?recursive=1`],
    ];
    const statuses = new Map<number, number>();
    // More rounds, if no request of these has met a link: on a busy machine all of them may meet the same state.
    for (let round = 0; round < 30 || !statuses.has(403); round += 1) {
      for (const [method, path, sent] of requests) {
        // A tar is broken off when a file in it goes away.
        const { status = 0, body } = await send(confined, method, path, sent).catch(brokenOff);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        if (body.includes(SECRET)) t.fail(`${method} ${path} gave away what is outside`);
      }
    }
    const ended = once(racer, 'exit');
    racer.disconnect();
    await ended;
    t.comment(JSON.stringify([...statuses]));
    t.same(readdirSync(outside, { recursive: true }).sort(), ['file', 'sub', 'sub/file']);
    t.equal(readFileSync(`${outside}/file`, 'utf8'), SECRET);
    t.equal(readFileSync(`${outside}/sub/file`, 'utf8'), SECRET);
    t.ok((statuses.get(403) ?? 0) > 0, 'some requests met a link');
  },
);

t.test('put ends with 507 and leaves the old file, and no half one, when the disk is full', async (t) => {
  const d = folder(t);
  mkdirSync(`${d}/small`);
  const problem = mountSmall(t, `${d}/small`);
  if (problem !== undefined) {
    t.comment(problem);
    t.pass(`skipped: ${problem}`);
    return;
  }
  writeFileSync(`${d}/small/f`, 'old');
  const body = Buffer.alloc(1_000_000);
  t.match(await send(server, 'PUT', `${d}/small/f`, { body }), { status: 507, reason: 'noSpace' });
  t.equal(readFileSync(`${d}/small/f`, 'utf8'), 'old');
  const headers = { 'content-type': TAR };
  const tar = tarOf([
    { path: 'x', content: 'x' },
    { path: 'y', content: 'y'.repeat(1_000_000) },
  ]);
  t.match(await send(server, 'PUT', `${d}/small/t`, { headers, body: tar }), { status: 507, reason: 'noSpace' });
  t.same(readdirSync(`${d}/small`), ['f']);
});

t.test('drain refuses new files, and waits, when a file is on its way', async (t) => {
  const d = folder(t);
  const draining = await startServer(t, { flags: ['--files', '--drain-timeout', '10m'] });
  const { host, port } = draining;
  const asking = request({ host, port, method: 'PUT', path: `/files${d}/f`, agent: false });
  asking.write('first ');
  await until('the file is being written', () => readdirSync(d).length === 1);
  draining.child.kill('SIGTERM');
  await until('new requests are refused', async () => {
    const { status } = await send(draining, 'GET', `${d}/none`);
    return status === 503;
  });
  asking.end('last');
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  t.equal(response.statusCode, 201);
  response.resume();
  t.equal(readFileSync(`${d}/f`, 'utf8'), 'first last');
  t.strictSame(await draining.exited, { code: 0, signal: null });
});

/** Puts a body, again when the server did not wait for its end: a very busy machine may take longer than the server's five seconds. */
async function sendAnyway(path: string, sent: Sent): Promise<Got> {
  for (let left = 2; left > 0; left -= 1) {
    const got = await send(server, 'PUT', path, sent).catch(() => undefined);
    if (got !== undefined) return got;
  }
  return send(server, 'PUT', path, sent);
}

t.test('refusal is read when the client is still sending a large body', async (t) => {
  const d = folder(t);
  const body = Buffer.alloc(20_000_000);
  t.match(await sendAnyway(`${d}/none/f`, { body }), { status: 404, reason: 'notFound' });
  t.match(await sendAnyway(`${d}/f`, { body, headers: { 'if-match': '*' } }), { status: 412 });
  const headers = { 'content-type': TAR };
  t.match(await sendAnyway(`${d}/t`, { body: body.fill('x'), headers }), { status: 400, reason: 'invalid' });
});
