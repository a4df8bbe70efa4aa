// Shows changes of files by HTTP that meet each other, that would replace what is no file, or that are refused: nothing is lost, and a refusal says why.
import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { tarOf } from '../files/tar-bytes.js';
import { send } from '../support/file-request.js';
import { mountSmall } from '../support/mount-small.js';
import { startServer } from '../support/server.js';

const TAR = 'application/x-tar';
/** Each met the fault in about every second round. */
const ROUNDS = 25;

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'execwire-http-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const server = await startServer(t, { flags: ['--files'] });

t.test('one of several changes is made, and the others are refused, when all have the same condition', async (t) => {
  const d = folder(t);
  for (let round = 0; round < ROUNDS; round += 1) {
    const path = `${d}/f${round}`;
    const first = await Promise.all(
      ['a', 'b', 'c'].map((body) => send(server, 'PUT', path, { body, headers: { 'if-none-match': '*' } })),
    );
    t.same(first.map(({ status }) => status).sort(), [201, 412, 412], `If-None-Match, round ${round}`);
    const winner = first.findIndex(({ status }) => status === 201);
    t.equal(readFileSync(path, 'utf8'), 'abc'[winner]);
    const headers = { 'if-match': String(first[winner]?.headers.etag) };
    const second = await Promise.all([
      send(server, 'PUT', path, { body: 'd', headers }),
      send(server, 'DELETE', path, { headers }),
      send(server, 'PUT', path, { body: 'e', headers }),
    ]);
    t.same(second.map(({ status }) => status).sort(), [204, 412, 412], `If-Match, round ${round}`);
  }
});

t.test('pipe or socket stays when a tar or a move would replace it', async (t) => {
  const d = folder(t);
  execFileSync('mkfifo', [`${d}/pipe`]);
  mkdirSync(`${d}/in`);
  execFileSync('mkfifo', [`${d}/in/pipe`]);
  writeFileSync(`${d}/f`, 'f');
  const headers = { 'content-type': TAR };
  for (const path of ['pipe', 'in/pipe']) {
    const body = tarOf([
      { path: 'new', content: 'new' },
      { path, content: 'x' },
    ]);
    t.match(await send(server, 'PUT', d, { headers, body }), { status: 409, reason: 'notAFile' }, path);
    const link = tarOf([{ path, type: 'SymbolicLink', linkpath: 'f' }]);
    t.match(await send(server, 'PUT', d, { headers, body: link }), { status: 409, reason: 'notAFile' }, path);
  }
  t.match(await send(server, 'POST', `${d}/f?move=${d}/pipe&overwrite=1`), { status: 409, reason: 'notAFile' });
  t.ok(lstatSync(`${d}/pipe`).isFIFO() && lstatSync(`${d}/in/pipe`).isFIFO());
  t.equal(lstatSync(`${d}/new`, { throwIfNoEntry: false }), undefined);
  t.match(await send(server, 'POST', `${d}/in?move=${d}/in/deeper`), { status: 400, reason: 'invalid' });
});

t.test('nothing is unpacked when a folder in the target is on another file system', async (t) => {
  const d = folder(t);
  for (const name of ['a', 'b']) writeFileSync(`${d}/${name}`, 'old');
  mkdirSync(`${d}/in/mnt`, { recursive: true });
  const problem = mountSmall(t, `${d}/in/mnt`);
  if (problem !== undefined) {
    t.comment(problem);
    t.pass(`skipped: ${problem}`);
    return;
  }
  const before = readdirSync(d, { recursive: true }).sort();
  const body = tarOf(['a', 'b', 'new', 'in/mnt/f', 'zz'].map((path) => ({ path, content: 'new' })));
  const headers = { 'content-type': TAR };
  t.match(await send(server, 'PUT', d, { headers, body }), { status: 409, reason: 'otherDevice' });
  t.same(readdirSync(d, { recursive: true }).sort(), before);
  for (const name of ['a', 'b']) t.equal(readFileSync(`${d}/${name}`, 'utf8'), 'old');
  // A file that is a mount of its own cannot be replaced, and only the step itself tells.
  writeFileSync(`${d}/in/mnt/f`, 'mounted');
  t.equal(spawnSync('mount', ['--bind', `${d}/in/mnt/f`, `${d}/b`]).status, 0);
  const again = tarOf(['a', 'b', 'new', 'zz'].map((path) => ({ path, content: 'new' })));
  t.match(await send(server, 'PUT', d, { headers, body: again }), { status: 409 });
  t.same(readdirSync(d).sort(), ['a', 'b', 'in']);
  t.equal(readFileSync(`${d}/a`, 'utf8'), 'old');
  spawnSync('umount', [`${d}/b`]);
});
