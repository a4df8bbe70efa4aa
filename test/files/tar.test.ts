// Shows that a tree is the same after packing and unpacking, and that an archive with one hostile member changes nothing.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { packTar } from '../../src/files/tar-pack.js';
import { unpackTar } from '../../src/files/tar-unpack.js';
import { reasonOf, type Setup, setUp, WAYS } from './file-setup.js';
import { inPieces, type Member, paxOf, tarOf } from './tar-bytes.js';

/** A user who may nothing. */
const NOBODY = 65534;
const OLD = new Date('2001-02-03T04:05:06Z');

async function packed({ access }: Setup, path: string, prefix = ''): Promise<Buffer> {
  const { pieces, close } = await packTar(access, path, { prefix });
  const taken: Buffer[] = [];
  for await (const piece of pieces) taken.push(piece);
  await close();
  return Buffer.concat(taken);
}

const unpack = ({ access }: Setup, path: string, bytes: Buffer, length = 64 * 1024): Promise<void> =>
  unpackTar(access, { path, source: inPieces(bytes, length) });

/** Everything in a folder: kind, mode, time, and content or target. */
function treeOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { mode, mtimeMs } = lstatSync(path);
      const name = path.slice(folder.length + 1);
      if (entry.isSymbolicLink()) return `${name} -> ${readlinkSync(path)}`;
      const content = entry.isFile() ? readFileSync(path, 'utf8').slice(0, 50) : '/';
      return `${name} ${(mode & 0o777).toString(8)} ${Math.floor(mtimeMs / 1000)} ${content}`;
    })
    .sort();
}

for (const way of WAYS) {
  t.test(`${way}: tree is the same when it was packed and unpacked in pieces of any length`, async (t) => {
    const setup = await setUp(t, way, { 'a/f': 'content', 'a/empty': '', 'a/b/c/g': 'x'.repeat(100_000), 'a/d/': '' });
    const { at } = setup;
    writeFileSync(at(`a/${'long-name-'.repeat(20)}`), 'long');
    writeFileSync(at('a/ünï'), 'unicode');
    symlinkSync('b/c/g', at('a/link'));
    chmodSync(at('a/f'), 0o750);
    chmodSync(at('a/d'), 0o500);
    for (const name of ['a/f', 'a/b/c', 'a/b', 'a/d']) utimesSync(at(name), OLD, OLD);
    chmodSync(at('a'), 0o750);
    utimesSync(at('a'), OLD, OLD);
    const bytes = await packed(setup, at('a'));
    t.equal(bytes.length % 512, 0);
    for (const length of [1 << 20, 1000, 511, 7]) {
      await unpack(setup, at(`to${length}`), bytes, length);
      t.same(treeOf(at(`to${length}`)), treeOf(at('a')), `pieces of ${length}`);
      const [{ mode, mtimeMs }, packedFolder] = [statSync(at(`to${length}`)), statSync(at('a'))];
      t.same([mode, mtimeMs], [packedFolder.mode, packedFolder.mtimeMs], 'mode and time of the folder itself');
    }
    t.notOk(readdirSync(at('to7')).some((name) => name.startsWith('.execwire')));
  });

  t.test(`${way}: archive is understood when tar(1) reads it, or has packed it`, async (t) => {
    const setup = await setUp(t, way, { 'a/f': 'content', 'a/b/g': 'more' });
    const { at } = setup;
    linkSync(at('a/f'), at('a/hard'));
    symlinkSync('f', at('a/link'));
    const listed = execFileSync('tar', ['t'], { input: await packed(setup, at('a')), encoding: 'utf8' });
    t.same(listed.trim().split('\n').sort(), ['./', 'b/', 'b/g', 'f', 'hard', 'link']);
    const named = execFileSync('tar', ['t'], { input: await packed(setup, at('a'), 'top'), encoding: 'utf8' });
    t.same(named.trim().split('\n').sort().slice(0, 2), ['top/', 'top/b/']);
    t.ok(named.startsWith('top/\n'), 'a folder comes before what is in it');
    const one = execFileSync('tar', ['xO'], { input: await packed(setup, at('a/f')), encoding: 'utf8' });
    t.equal(one, 'content');
    const bytes = execFileSync('tar', ['c', '-C', at('a'), '.']);
    await unpack(setup, at('to'), bytes);
    t.same(treeOf(at('to')), treeOf(at('a')));
    t.equal(statSync(at('to/f')).ino, statSync(at('to/hard')).ino, 'a hard link stays one');
  });

  t.test(`${way}: member joins a folder, or replaces a file, when its name is taken`, async (t) => {
    const setup = await setUp(t, way, { 'to/d/kept': 'kept', 'to/d/f': 'old', 'to/g': 'old' });
    const { at } = setup;
    symlinkSync('g', at('to/link'));
    await unpack(
      setup,
      at('to'),
      tarOf([
        { path: 'd/', type: 'Directory', mode: 0o755 },
        { path: 'd/f', content: 'new' },
        { path: 'link', content: 'no link any more' },
        { path: 'twice', content: 'first' },
        { path: 'twice', content: 'second' },
      ]),
    );
    t.equal(readFileSync(at('to/d/f'), 'utf8'), 'new');
    t.equal(readFileSync(at('to/d/kept'), 'utf8'), 'kept');
    t.equal(readFileSync(at('to/link'), 'utf8'), 'no link any more');
    t.equal(readFileSync(at('to/g'), 'utf8'), 'old', 'the link was not followed');
    t.equal(readFileSync(at('to/twice'), 'utf8'), 'second');
    const before = treeOf(at('to'));
    t.equal(await reasonOf(unpack(setup, at('to'), tarOf([{ path: 'a' }, { path: 'd', content: 'file' }]))), 'exists');
    t.equal(await reasonOf(unpack(setup, at('to'), tarOf([{ path: 'a' }, { path: 'g/x' }]))), 'exists');
    t.same(treeOf(at('to')), before, 'nothing was unpacked');
  });

  t.test(`${way}: folder that is there keeps its mode when an archive is unpacked into it`, async (t) => {
    const setup = await setUp(t, way, { 'to/sticky/f': '' });
    const { at } = setup;
    chmodSync(at('to'), 0o700);
    chmodSync(at('to/sticky'), 0o1777);
    await unpack(
      setup,
      at('to'),
      tarOf([
        { path: './', type: 'Directory', mode: 0o755 },
        { path: './sticky/', type: 'Directory', mode: 0o755 },
        { path: './sticky/g', content: 'g' },
      ]),
    );
    t.equal(statSync(at('to')).mode & 0o7777, 0o700, 'the folder itself keeps it');
    t.equal(statSync(at('to/sticky')).mode & 0o7777, 0o1755, 'a member gives its own, and the sticky bit stays');
    t.equal(readFileSync(at('to/sticky/g'), 'utf8'), 'g');
  });

  t.test(`${way}: archive is unpacked when it is empty, or has times before 1970`, async (t) => {
    const setup = await setUp(t, way);
    const { at } = setup;
    await unpack(setup, at('none'), execFileSync('tar', ['c', '-T', '/dev/null']));
    t.same(readdirSync(at('none')), []);
    await unpack(setup, at('early'), paxOf([{ path: 'f', records: { mtime: '-86400' } }]));
    t.equal(statSync(at('early/f')).mtimeMs, -86_400_000);
  });

  t.test(`${way}: nothing is unpacked when a folder may not be written, or is another user's`, async (t) => {
    const setup = await setUp(t, way, {
      'to/a': 'old a',
      'to/b': 'old b',
      'to/in/c': 'old c',
      'to/ro/': '',
      'to/x/': '',
    });
    const { at } = setup;
    symlinkSync('a', at('to/link'));
    const isRoot = process.getuid?.() === 0;
    chmodSync(at('to/ro'), isRoot ? 0o755 : 0o500);
    chmodSync(at('to/x'), 0o777);
    if (isRoot) for (const name of ['', 'to', 'to/a', 'to/b', 'to/in', 'to/in/c']) chownSync(at(name), NOBODY, NOBODY);
    const folders = /^(\S+ \d+) \d+ \/$/;
    // The time of a folder changes with each attempt.
    const tree = (): string[] => treeOf(at('to')).map((line) => line.replace(folders, '$1 /'));
    const before = tree();
    const members: Member[] = [
      ...['a', 'b', 'new', 'in/c', 'in/new', 'made/f', 'link'].map((path) => ({ path, content: `new ${path}` })),
      { path: 'made/', type: 'Directory', mode: 0o500 },
    ];
    const rows: Readonly<Record<string, Member>> = {
      'a folder that may not be written': { path: 'ro/f' },
      "another user's folder": { path: 'x/', type: 'Directory', mode: 0o700 },
    };
    for (const [name, member] of Object.entries(rows)) {
      if (!isRoot && name !== 'a folder that may not be written') continue;
      // The real user stays root, so that what is asked beforehand says that the folder may be written, and the step itself fails.
      if (isRoot) process.seteuid?.(NOBODY);
      const reason = await reasonOf(unpack(setup, at('to'), tarOf([...members, member]))).finally(() => {
        if (isRoot) process.seteuid?.(0);
      });
      t.equal(reason, 'denied', name);
      t.same(tree(), before, name);
      t.equal(readFileSync(at('to/link'), 'utf8'), 'old a', 'it is a link still');
    }
  });

  t.test(`${way}: archive is refused whole when it is broken or has a hostile member`, async (t) => {
    const setup = await setUp(t, way, { 'to/old': 'old', '../outside/file': 'outside' });
    const { at, outside } = setup;
    const good: Member = { path: 'good', content: 'good' };
    const dir: Member = { path: 'd/', type: 'Directory', mode: 0o755 };
    const rows: Readonly<Record<string, readonly Member[]>> = {
      'absolute path': [good, { path: join(outside, 'x') }],
      'dot dot': [good, { path: '../x' }],
      'dot dot inside': [good, { path: 'd/../../x' }],
      'dot dot that stays': [good, { path: 'd/../x' }],
      'absolute link': [good, { path: 'l', type: 'SymbolicLink', linkpath: outside }],
      'link up': [good, { path: 'l', type: 'SymbolicLink', linkpath: '../outside' }],
      'link up from a folder': [dir, { path: 'd/l', type: 'SymbolicLink', linkpath: '../../outside' }],
      'link up through a link': [
        dir,
        { path: 'd/up', type: 'SymbolicLink', linkpath: '..' },
        { path: 'l', type: 'SymbolicLink', linkpath: 'd/up/../outside' },
      ],
      'member through a link': [
        good,
        { path: 'l', type: 'SymbolicLink', linkpath: 'good' },
        { path: 'l/x', content: 'x' },
      ],
      'hard link to outside': [good, { path: 'h', type: 'Link', linkpath: join(outside, 'file') }],
      'hard link up': [good, { path: 'h', type: 'Link', linkpath: '../outside/file' }],
      'hard link to what was there': [good, { path: 'h', type: 'Link', linkpath: 'old' }],
      'hard link to a link': [
        { path: 'l', type: 'SymbolicLink', linkpath: 'x' },
        { path: 'h', type: 'Link', linkpath: 'l' },
      ],
      device: [good, { path: 'n', type: 'CharacterDevice' }],
      pipe: [good, { path: 'n', type: 'FIFO' }],
      'name with a line break in an extended header': [good, { path: `${'n'.repeat(120)}\nx` }],
    };
    const before = treeOf(at('to'));
    mkdirSync(at('from'));
    for (const name of ['\xff', '\xfe']) writeFileSync(Buffer.from(`${at('from')}/${name}`, 'latin1'), name);
    const notUtf8 = execFileSync('tar', ['c', '-C', at('from'), '.']);
    t.equal(await reasonOf(unpack(setup, at('to'), notUtf8)), 'invalid', 'names that are no UTF-8');
    writeFileSync(at('from/sparse'), 'x');
    truncateSync(at('from/sparse'), 10_000_000);
    const sparse = execFileSync('tar', ['c', '--sparse', '--format=posix', '-C', at('from'), 'sparse']);
    t.equal(await reasonOf(unpack(setup, at('to'), sparse)), 'invalid', 'sparse file');
    const noTime = paxOf([{ path: 'f', records: { mtime: '99999999999999' } }]);
    t.equal(await reasonOf(unpack(setup, at('to'), noTime)), 'invalid', 'time that is none');
    for (const [name, members] of Object.entries(rows)) {
      const reason = await reasonOf(unpack(setup, at('to'), tarOf(members)));
      t.match(reason, /^(invalid|notADirectory|notFound)$/, name);
      t.same(treeOf(at('to')), before, `${name}: nothing was unpacked`);
      t.equal(await reasonOf(unpack(setup, at('new'), tarOf(members))), reason, name);
      t.notOk(existsSync(at('new')), `${name}: no folder was made`);
    }
    const whole = tarOf([good, { path: 'other', content: 'x'.repeat(5000) }]);
    const broken: Readonly<Record<string, Buffer>> = {
      empty: Buffer.alloc(0),
      'one byte': Buffer.from('x'),
      text: Buffer.from('this is no tar '.repeat(100)),
      compressed: Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), Buffer.alloc(2000)]),
      'cut in a file': whole.subarray(0, 2000),
      'cut between members': whole.subarray(0, 1024),
      'no end': tarOf([good], { isEnded: false }),
    };
    for (const [name, bytes] of Object.entries(broken)) {
      for (const length of [100, 1 << 20]) {
        t.equal(await reasonOf(unpack(setup, at('to'), bytes, length)), 'invalid', `${name} in pieces of ${length}`);
        t.same(treeOf(at('to')), before, name);
      }
    }
    t.same(readdirSync(outside), ['file']);
  });

  t.test(`${way}: nothing is unpacked when the source breaks off, and no secret is packed`, async (t) => {
    const setup = await setUp(t, way, { token: 'secret', 'a/f': '' });
    const { access, at, root } = setup;
    mkdirSync(at('to'));
    const whole = tarOf([{ path: 'a', content: 'x'.repeat(100_000) }]);
    const breaking = async function* (): AsyncGenerator<Buffer, void, void> {
      yield whole.subarray(0, 50_000);
      throw new Error('broke off');
    };
    await t.rejects(unpackTar(access, { path: at('to'), source: breaking() }), { message: 'broke off' });
    t.same(readdirSync(at('to')), []);
    const listed = execFileSync('tar', ['t'], { input: await packed(setup, root), encoding: 'utf8' });
    t.notOk(listed.includes('token'));
    t.equal(await reasonOf(packed(setup, at('token'))), 'denied');
    t.equal(await reasonOf(unpack(setup, root, tarOf([{ path: 'token', content: 'mine' }]))), 'denied');
    t.equal(readFileSync(at('token'), 'utf8'), 'secret');
  });
}

t.test('plain: a tar whose folders have more bytes of paths than may be kept is refused whole', async (t) => {
  const { access, at } = await setUp(t, 'plain', { 'to/kept': 'old' });
  const folders = Array.from(
    { length: 20 },
    (_, n): Member => ({ path: `${'x'.repeat(97)}/${n + 10}/`, type: 'Directory' }),
  );
  const into = (maxFolderPathBytes: number): Promise<void> =>
    unpackTar(access, { path: at('to'), source: inPieces(tarOf(folders), 65536) }, { maxFolderPathBytes });
  t.equal(await reasonOf(into(1999)), 'tooLarge');
  t.same(readdirSync(at('to')), ['kept']);
  t.equal(await reasonOf(into(2000)), 'done');
  t.equal(readdirSync(at(`to/${'x'.repeat(97)}`)).length, 20);
});
