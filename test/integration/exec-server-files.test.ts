// Shows `fs/*` of the exec-server protocol over a real socket: paths as URIs, the codes of failures, blocks, watches of missing files, sandboxes, secrets,
// and that files are served in a drain.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ExecServerClient } from '../support/exec-server-client.js';
import { startServer } from '../support/server.js';
import { until } from '../support/until.js';
import type { WireMessage } from '../support/wire-client.js';

const server = await startServer(t);
const client = await ExecServerClient.open(server);
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const refusal = ({ error }: WireMessage): unknown[] => [error?.code, error?.message];
const NOT_FOUND = [-32004, 'No such file or directory (os error 2)'];

/** A folder of one test, and URIs in it. */
function folderOf(t: Test): { folder: string; uri: (name: string) => string } {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-exec-files-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, uri: (name) => `file://${folder}/${name}` };
}

t.test('file is written, described and read when a URI names it', async (t) => {
  const { folder, uri } = folderOf(t);
  t.same(await client.ask('fs/writeFile', { path: uri('a%20b'), dataBase64: base64('hello'), sandbox: null }), {});
  t.equal(readFileSync(join(folder, 'a b'), 'utf8'), 'hello');
  t.match(await client.ask('fs/getMetadata', { path: uri('a%20b') }), {
    isDirectory: false,
    isFile: true,
    isSymlink: false,
    size: 5,
    createdAtMs: Number,
    modifiedAtMs: Number,
  });
  t.same(await client.ask('fs/readFile', { path: uri('x/../a%20b') }), { dataBase64: base64('hello') });
  t.same(await client.ask('fs/canonicalize', { path: uri('./a%20b') }), { path: uri('a%20b') });
});

t.test('failure has a code of its own when the path is missing', async (t) => {
  const { uri } = folderOf(t);
  const path = uri('new/file.txt');
  t.same(refusal(await client.request('fs/readFile', { path })), NOT_FOUND);
  t.same(refusal(await client.request('fs/getMetadata', { path })), NOT_FOUND);
  t.same(refusal(await client.request('fs/writeFile', { path, dataBase64: '' })), NOT_FOUND);
  t.same(await client.ask('fs/createDirectory', { path: uri('new'), recursive: true }), {});
  t.same(await client.ask('fs/writeFile', { path, dataBase64: '' }), {});
  t.same(await client.ask('fs/remove', { path, recursive: false, force: false }), {});
  t.same(refusal(await client.request('fs/remove', { path, recursive: false, force: false })), NOT_FOUND);
});

t.test('failure has another code when the path is not missing', async (t) => {
  const { folder, uri } = folderOf(t);
  mkdirSync(join(folder, 'full'));
  writeFileSync(join(folder, 'full/file'), '');
  const code = async (method: string, params: object): Promise<unknown> =>
    (await client.request(method, params)).error?.code;
  t.equal(await code('fs/readFile', { path: uri('full') }), -32600);
  t.equal(await code('fs/remove', { path: uri('full'), recursive: false }), -32603);
  t.equal(await code('fs/createDirectory', { path: uri('full'), recursive: false }), -32603);
  t.equal(await code('fs/readDirectory', { path: uri('full/file') }), -32603);
  t.equal(await code('fs/writeFile', { path: uri('full/file'), dataBase64: '?' }), -32600);
  t.equal(await code('fs/readFile', { path: '/plain' }), -32602);
  t.equal(await code('fs/readFile', { path: 'http://host/a' }), -32602);
  t.equal(await code('fs/readFile', { path: 'file:///%00' }), -32602);
  t.equal(await code('fs/copy', { sourcePath: uri('full'), destinationPath: uri('c'), recursive: false }), -32600);
});

t.test('file is reached by its bytes when its name is not UTF-8', async (t) => {
  const { folder, uri } = folderOf(t);
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff])]), 'bytes');
  t.same(await client.ask('fs/readFile', { path: uri('%FF') }), { dataBase64: base64('bytes') });
});

t.test('walk goes breadth first, and is refused when its bounds exceed those of the reference', async (t) => {
  const { folder, uri } = folderOf(t);
  mkdirSync(join(folder, 'skills/demo/.hidden'), { recursive: true });
  writeFileSync(join(folder, 'skills/demo/SKILL.md'), '');
  writeFileSync(join(folder, 'skills/demo/.hidden/x'), '');
  symlinkSync('skills', join(folder, 'link'));
  const options = {
    maxDepth: 6,
    maxDirectories: 2000,
    maxEntries: 20_000,
    followDirectorySymlinks: true,
    pruneHiddenDirectories: true,
  };
  t.same(await client.ask('fs/walk', { path: uri('link'), options }), {
    entries: [
      { path: uri('link/demo'), kind: 'directory' },
      { path: uri('link/demo/.hidden'), kind: 'directory' },
      { path: uri('link/demo/SKILL.md'), kind: 'file' },
    ],
    errors: [],
    truncated: false,
  });
  t.match(refusal(await client.request('fs/walk', { path: uri(''), options: { ...options, maxDepth: 65 } })), [
    -32600,
    'filesystem walk limits exceed maximums: depth=64, directories=10000, entries=50000',
  ]);
});

t.test('file is read and replaced in blocks when it is opened', async (t) => {
  const { folder, uri } = folderOf(t);
  writeFileSync(join(folder, 'a'), 'hello');
  t.same(await client.ask('fs/open', { handleId: 'r', path: uri('a') }), { handleId: 'r' });
  t.same(await client.ask('fs/readBlock', { handleId: 'r', offset: 1, len: 3 }), { chunk: base64('ell'), eof: false });
  t.same(await client.ask('fs/readBlock', { handleId: 'r', offset: 4, len: 9 }), { chunk: base64('o'), eof: true });
  t.same(refusal(await client.request('fs/open', { handleId: 'r', path: uri('a') })), [
    -32600,
    'file handle `r` already exists',
  ]);
  t.same(await client.ask('fs/close', { handleId: 'r' }), {});
  t.same(refusal(await client.request('fs/readBlock', { handleId: 'r', offset: 0, len: 1 })), [
    -32004,
    'unknown file handle `r`',
  ]);
  t.same(await client.ask('fs/close', { handleId: 'r' }), {}, 'closing twice is no fault');
  await client.ask('fs/open', { handleId: 'w', path: uri('a'), mode: 'replace' });
  await client.ask('fs/writeBlock', { handleId: 'w', offset: 0, chunk: base64('new') });
  t.equal(readFileSync(join(folder, 'a'), 'utf8'), 'hello', 'not before the end');
  await client.ask('fs/close', { handleId: 'w' });
  t.equal(readFileSync(join(folder, 'a'), 'utf8'), 'new');
});

t.test('file that is being replaced stays as it was when the connection ends', async (t) => {
  const { folder, uri } = folderOf(t);
  writeFileSync(join(folder, 'a'), 'old');
  const own = await ExecServerClient.open(server);
  await own.ask('fs/open', { handleId: 'w', path: uri('a'), mode: 'replace' });
  await own.ask('fs/writeBlock', { handleId: 'w', offset: 0, chunk: base64('new') });
  t.equal(readdirSync(folder).length, 2, 'the new content is beside it');
  await own.cut();
  await until('the new content is dropped', () => readdirSync(folder).length === 1);
  t.equal(readFileSync(join(folder, 'a'), 'utf8'), 'old');
});

t.test('watch tells once when a missing file appears or a present one goes', async (t) => {
  const { folder, uri } = folderOf(t);
  writeFileSync(join(folder, 'there'), '');
  const watch = (watchId: number, missing: string[], present: string | null = null): Promise<unknown> =>
    client.ask('fs/watchMissing', { watchId, missing: missing.map(uri), present });
  t.same(await watch(1, ['there']), { watching: false }, 'it is there already');
  t.same(await watch(1, ['a', 'b/c']), { watching: true });
  t.same(await watch(1, ['a']), { watching: false }, 'the number is in use');
  t.same(await watch(2, ['a'], uri('there')), { watching: true });
  const changed = (watchId: number): Promise<WireMessage> =>
    client.peer.message(({ method, params }) => method === 'fs/missingChanged' && params.watchId === watchId);
  rmSync(join(folder, 'there'));
  await changed(2);
  mkdirSync(join(folder, 'b'));
  writeFileSync(join(folder, 'b/c'), '');
  await changed(1);
  t.equal(client.peer.messages.filter(({ method }) => method === 'fs/missingChanged').length, 2);
});

t.test('write is refused when its sandbox does not allow it, or cannot be enforced', async (t) => {
  const { folder, uri } = folderOf(t);
  const root = { path: { type: 'special', value: { kind: 'root' } }, access: 'read' };
  const readOnly = {
    permissions: { type: 'managed', file_system: { type: 'restricted', entries: [root] }, network: 'restricted' },
    workspaceRoots: [`file://${folder}`],
  };
  const write = { path: uri('a'), dataBase64: base64('x') };
  t.match(refusal(await client.request('fs/writeFile', { ...write, sandbox: readOnly })), [Number]);
  t.notOk(existsSync(join(folder, 'a')));
  const denied = { ...readOnly, permissions: { ...readOnly.permissions, network: 'unknown' } };
  t.match(refusal(await client.request('fs/writeFile', { ...write, sandbox: denied })), [-32602, /sandbox/]);
  t.notOk(existsSync(join(folder, 'a')), 'the sandbox is not ignored');
});

t.test('file is not read when it is a secret of the server', async (t) => {
  const { folder } = folderOf(t);
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, 'a token of this test', { mode: 0o600 });
  symlinkSync(tokenFile, join(folder, 'link'));
  const own = await startServer(t, { flags: ['--ws-auth', 'capability-token', '--ws-token-file', tokenFile] });
  const guarded = await ExecServerClient.open(own, { token: 'a token of this test' });
  for (const name of ['token', 'link']) {
    t.match(refusal(await guarded.request('fs/readFile', { path: `file://${folder}/${name}` })), [-32600], name);
  }
});

t.test('methods of files do not exist when files are switched off', async (t) => {
  const own = await startServer(t, { flags: ['--no-files'] });
  const without = await ExecServerClient.open(own);
  t.match(refusal(await without.request('fs/readFile', { path: 'file:///etc/passwd' })), [-32601]);
  t.notOk('fsWatchMissing' in (without.environmentInfo.capabilities as object));
});

t.test('files are served when the server drains, as long as the connection is there', async (t) => {
  const { uri } = folderOf(t);
  const own = await startServer(t, { flags: ['--drain-timeout', '10m'] });
  const draining = await ExecServerClient.open(own);
  const process = await draining.start('echo ready; exec sleep 631');
  await process.said('ready');
  own.signal('SIGTERM');
  await draining.peer.notified('server/draining');
  t.same(refusal(await draining.request('fs/readFile', { path: uri('none') })), NOT_FOUND);
  t.same(await draining.ask('fs/writeFile', { path: uri('a'), dataBase64: '' }), {});
  await process.terminate();
  t.equal(await draining.peer.closed, 1001);
  t.same(await own.exited, { code: 0, signal: null });
});
