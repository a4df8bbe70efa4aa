// Shows `fs/*` over a real socket: results and refusals as clients of the Codex app-server know them, watches, confinement, and what a drain serves.
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startServer } from '../support/server.js';
import type { WireClient, WireMessage } from '../support/wire-client.js';

const CONFINED = process.platform === 'linux';
const ENOENT = 'No such file or directory (os error 2)';

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'execwire-fs-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Code and text of a refusal. */
const refusal = ({ error }: WireMessage): unknown[] => [error?.code, error?.message];
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const server = await startServer(t);
const client = await server.session();
const ask = (verb: string, params: object, peer = client): Promise<WireMessage> => peer.request(`fs/${verb}`, params);

t.test('files are written, read, listed, copied and removed when their paths are absolute', async (t) => {
  const d = folder(t);
  t.same((await ask('createDirectory', { path: `${d}/a/b` })).result, {});
  t.same((await ask('writeFile', { path: `${d}/a/f`, dataBase64: base64('hello') })).result, {});
  t.same((await ask('readFile', { path: `${d}/a/f` })).result, { dataBase64: base64('hello') });
  writeFileSync(`${d}/empty`, '');
  t.same((await ask('readFile', { path: `${d}/empty` })).result, { dataBase64: '' });
  const big = Buffer.alloc(1_000_001, 'abcde');
  writeFileSync(`${d}/big`, big);
  t.equal((await ask('readFile', { path: `${d}/big` })).result?.dataBase64, big.toString('base64'));
  const { result } = await ask('getMetadata', { path: `${d}/a/f` });
  t.same(Object.keys(result ?? {}).sort(), ['createdAtMs', 'isDirectory', 'isFile', 'isSymlink', 'modifiedAtMs']);
  t.match(result, { isDirectory: false, isFile: true, isSymlink: false });
  symlinkSync('none', `${d}/a/dangling`);
  const listed = (await ask('readDirectory', { path: `${d}/a` })).result?.entries as { fileName: string }[];
  t.same(
    listed.sort((x, y) => x.fileName.localeCompare(y.fileName)),
    [
      { fileName: 'b', isDirectory: true, isFile: false },
      { fileName: 'f', isDirectory: false, isFile: true },
    ],
  );
  t.same((await ask('copy', { sourcePath: `${d}/a`, destinationPath: `${d}/c`, recursive: true })).result, {});
  t.equal(readFileSync(`${d}/c/f`, 'utf8'), 'hello');
  t.same((await ask('remove', { path: `${d}/a` })).result, {});
  t.same((await ask('remove', { path: `${d}/a` })).result, {}, 'force is the default');
});

t.test('file of some megabytes is written whole when its message is longer than others may be', async (t) => {
  const d = folder(t);
  const content = Buffer.alloc(3_000_000, 'execwire');
  t.same((await ask('writeFile', { path: `${d}/f`, dataBase64: content.toString('base64') })).result, {});
  t.ok(readFileSync(`${d}/f`).equals(content));
});

t.test('refusal has the code and text of the reference when a request cannot be served', async (t) => {
  const d = folder(t);
  mkdirSync(`${d}/dir/in`, { recursive: true });
  writeFileSync(`${d}/f`, '');
  const rows: [verb: string, params: object, code: number, text: string | RegExp][] = [
    ['readFile', { path: `${d}/none` }, -32603, ENOENT],
    ['readFile', { path: `${d}/dir` }, -32600, `path \`${d}/dir\` is not a file`],
    ['readFile', { path: '/dev/null' }, -32600, 'path `/dev/null` is not a file'],
    ['readFile', { path: 'rel' }, -32600, 'Invalid request: AbsolutePathBuf deserialized without a base path'],
    ['readFile', {}, -32600, 'Invalid request: missing field `path`'],
    ['readFile', { path: 5 }, -32600, /^Invalid request: /],
    ['writeFile', { path: `${d}/none/f`, dataBase64: '' }, -32603, ENOENT],
    ['writeFile', { path: `${d}/f`, dataBase64: '*' }, -32600, /^fs\/writeFile requires valid base64 dataBase64: /],
    ['writeFile', { path: `${d}/f` }, -32600, 'Invalid request: missing field `dataBase64`'],
    ['writeFile', { path: `${d}/dir`, dataBase64: '' }, -32603, 'Is a directory (os error 21)'],
    ['createDirectory', { path: `${d}/dir`, recursive: false }, -32603, 'File exists (os error 17)'],
    ['getMetadata', { path: `${d}/none` }, -32603, ENOENT],
    ['readDirectory', { path: `${d}/f` }, -32603, 'Not a directory (os error 20)'],
    ['remove', { path: `${d}/dir`, recursive: false }, -32603, 'Directory not empty (os error 39)'],
    ['remove', { path: `${d}/none`, force: false }, -32603, ENOENT],
    [
      'copy',
      { sourcePath: `${d}/dir`, destinationPath: `${d}/x` },
      -32600,
      'fs/copy requires recursive: true when sourcePath is a directory',
    ],
    [
      'copy',
      { sourcePath: `${d}/dir`, destinationPath: `${d}/dir/y`, recursive: true },
      -32600,
      'fs/copy cannot copy a directory to itself or one of its descendants',
    ],
  ];
  for (const [verb, params, code, text] of rows) {
    t.match(refusal(await ask(verb, params)), [code, text], `${verb} ${JSON.stringify(params)}`);
  }
  const { error } = await ask('readFile', { path: `${d}/none` });
  t.match(error?.data, { reason: 'fileFailed', why: 'notFound', errno: 'ENOENT' });
});

/** Waits for a report of the watch that names the path. */
function changed(peer: WireClient, watchId: string, path: string): Promise<WireMessage> {
  return peer.message(
    ({ method, params }) => method === 'fs/changed' && params.watchId === watchId && params.changedPaths.includes(path),
  );
}

t.test('watch tells its own connection when files change, until it is ended', async (t) => {
  const d = folder(t);
  const peer = await server.session();
  t.same((await ask('watch', { watchId: 'w', path: d }, peer)).result, { path: d });
  t.same(refusal(await ask('watch', { watchId: 'w', path: d }, peer)), [-32600, 'watchId already exists: w']);
  t.same((await ask('watch', { watchId: 'f', path: `${d}/later/file` }, peer)).result, { path: `${d}/later/file` });
  writeFileSync(`${d}/a`, '');
  await changed(peer, 'w', `${d}/a`);
  mkdirSync(`${d}/later`);
  writeFileSync(`${d}/later/file`, '');
  await changed(peer, 'f', `${d}/later/file`);
  peer.messages.length = 0;
  writeFileSync(`${d}/later/next`, '');
  renameSync(`${d}/later/next`, `${d}/later/file`);
  await changed(peer, 'f', `${d}/later/file`);
  t.same((await ask('unwatch', { watchId: 'w' }, peer)).result, {});
  t.same((await ask('unwatch', { watchId: 'unknown' }, peer)).result, {});
  peer.messages.length = 0;
  writeFileSync(`${d}/b`, '');
  writeFileSync(`${d}/later/file`, 'x');
  await changed(peer, 'f', `${d}/later/file`);
  t.notOk(peer.messages.some(({ params }) => params?.watchId === 'w'));
  const other = await server.session();
  t.same(
    (await ask('watch', { watchId: 'f', path: d }, other)).result,
    { path: d },
    'another connection may use the same name',
  );
});

t.test('fs methods do not exist when they are switched off', async (t) => {
  const off = await startServer(t, { flags: ['--no-files'] });
  const peer = await off.session();
  t.match(refusal(await ask('readFile', { path: '/etc/hostname' }, peer)), [-32601, /Method not found/]);
});

t.test('token file is refused when a path names it in any way', async (t) => {
  const d = folder(t);
  const token = 'a-token-of-a-test-0123456789';
  writeFileSync(`${d}/token`, token, { mode: 0o600 });
  symlinkSync('token', `${d}/link`);
  const guarded = await startServer(t, {
    flags: ['--ws-auth', 'capability-token', '--ws-token-file', `${d}/token`],
    warm: false,
  });
  const peer = await guarded.session(undefined, { token });
  for (const path of [`${d}/token`, `${d}/link`, `/proc/self/root${d}/token`, '/proc/self/environ']) {
    t.same(refusal(await ask('readFile', { path }, peer)), [-32603, 'Permission denied (os error 13)'], path);
  }
  t.same(refusal(await ask('copy', { sourcePath: d, destinationPath: `${d}2`, recursive: true }, peer)), [
    -32603,
    'Permission denied (os error 13)',
  ]);
  rmSync(`${d}2`, { recursive: true, force: true });
});

t.test('nothing outside of the root is served when there is one', { skip: !CONFINED && 'needs openat2' }, async (t) => {
  const d = folder(t);
  mkdirSync(`${d}/root`);
  writeFileSync(`${d}/root/f`, 'in');
  writeFileSync(`${d}/out`, 'out');
  symlinkSync('../out', `${d}/root/link`);
  const confined = await startServer(t, { flags: ['--files-root', `${d}/root`] });
  const peer = await confined.session();
  t.same((await ask('readFile', { path: `${d}/root/f` }, peer)).result, { dataBase64: base64('in') });
  for (const path of [`${d}/out`, `${d}/root/link`, `${d}/root/../out`, '/etc/hostname']) {
    const { error } = await ask('readFile', { path }, peer);
    t.match(error, { code: -32600, data: { reason: 'fileRefused', why: 'outsideRoot' } }, path);
  }
  t.match((await ask('writeFile', { path: `${d}/root/link`, dataBase64: '' }, peer)).error, { code: -32600 });
  t.equal(readFileSync(`${d}/out`, 'utf8'), 'out');
});

t.test(
  'writes are confined to what commands may write when the sandbox has a minimum',
  { skip: !CONFINED && 'needs openat2' },
  async (t) => {
    const d = folder(t);
    mkdirSync(`${d}/.git`);
    const readOnly = await startServer(t, { flags: ['--sandbox-minimum', 'readOnly'] });
    const reader = await readOnly.session();
    t.match((await ask('writeFile', { path: `${d}/f`, dataBase64: '' }, reader)).error, {
      message: /sandbox/,
      data: { why: 'readOnly' },
    });
    t.ok((await ask('readDirectory', { path: d }, reader)).result);
    const writing = await startServer(t, { flags: ['--sandbox-minimum', 'workspaceWrite', '--sandbox-roots', d] });
    const writer = await writing.session();
    t.same((await ask('writeFile', { path: `${d}/f`, dataBase64: '' }, writer)).result, {});
    t.match((await ask('writeFile', { path: `${d}/.git/config`, dataBase64: '' }, writer)).error, {
      data: { why: 'denied' },
    });
    t.match((await ask('createDirectory', { path: '/opt/execwire-test' }, writer)).error, {
      data: { why: 'readOnly' },
    });
  },
);

t.test('fs methods are served when the server drains', async (t) => {
  const d = folder(t);
  writeFileSync(`${d}/f`, 'x');
  const draining = await startServer(t, { flags: ['--drain-timeout', '10m'] });
  const peer = await draining.session({ experimentalApi: true });
  const running = peer.exec(['cat'], { processId: 'c', streamStdin: true, disableTimeout: true });
  // A write finds the command, so it has started.
  await peer.ask('command/exec/write', { processId: 'c', deltaBase64: base64('x') });
  draining.child.kill('SIGTERM');
  await peer.message(({ method }) => method === 'server/draining');
  t.same((await ask('readFile', { path: `${d}/f` }, peer)).result, { dataBase64: base64('x') });
  await peer.ask('command/exec/write', { processId: 'c', closeStdin: true });
  t.match((await running).result, { exitCode: 0 });
  t.same(await draining.exited, { code: 0, signal: null });
});
