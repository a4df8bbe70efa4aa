// Shows what the operations on files do and what they refuse, both with plain paths and confined to a root.
// Long because each operation is shown in both ways.
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { canonicalize } from '../../src/files/canonicalize.js';
import { copy } from '../../src/files/copy.js';
import { createDirectory } from '../../src/files/create-directory.js';
import { FileHandles, MAX_BLOCK_BYTES, MAX_HANDLES } from '../../src/files/file-handles.js';
import { absolutePath } from '../../src/files/file-path.js';
import { readMetadata } from '../../src/files/metadata.js';
import { move } from '../../src/files/move.js';
import { readDirectory } from '../../src/files/read-directory.js';
import { exactSize, readFile, readFilePiece } from '../../src/files/read-file.js';
import { remove } from '../../src/files/remove.js';
import { type WalkOptions, walk } from '../../src/files/walk.js';
import { beginWrite, writeFile } from '../../src/files/write-file.js';
import { reasonOf, setUp, WAYS } from './file-setup.js';

const BOUND = { maxBytes: 1_000_000 };
const WALK = {
  maxDepth: 64,
  maxDirectories: 1000,
  maxEntries: 1000,
  followDirectorySymlinks: true,
  pruneHiddenDirectories: true,
};

t.test('path is cleaned, and refused when it is relative, has a NUL byte or is too long', async (t) => {
  const clean = (path: string | Buffer): string => absolutePath(path).toString('latin1');
  t.equal(clean('/a//b/./c/../d/'), '/a/b/d');
  t.equal(clean('/../..'), '/');
  t.equal(clean(Buffer.from('/a\xff', 'latin1')), '/a\xff');
  for (const [path, reason] of [
    ['', 'invalid'],
    ['a', 'invalid'],
    ['/a\0b', 'invalid'],
    [`/${'a'.repeat(256)}`, 'nameTooLong'],
    ['/a'.repeat(2048), 'nameTooLong'],
  ] as const) {
    t.equal(await reasonOf((async () => absolutePath(path))()), reason, path.slice(0, 10));
  }
});

for (const way of WAYS) {
  t.test(`${way}: file is read when it is within the bound, also when its name is not UTF-8`, async (t) => {
    const { access, root, at } = await setUp(t, way, { 'a.txt': 'hello', 'd/': '' });
    t.equal((await readFile(access, at('a.txt'), BOUND)).toString(), 'hello');
    const odd = Buffer.from(`${root}/\xff\xfe`, 'latin1');
    writeFileSync(odd, 'odd');
    t.equal((await readFile(access, odd, BOUND)).toString(), 'odd');
    t.equal((await readFile(access, at('a.txt'), { maxBytes: 5 })).toString(), 'hello');
    t.equal(await reasonOf(readFile(access, at('a.txt'), { maxBytes: 4 })), 'tooLarge');
    const piece = (offset: number, limit: number) => readFilePiece(access, at('a.txt'), { offset, limit, maxBytes: 4 });
    t.same(await piece(1, 3), { bytes: Buffer.from('ell'), size: 5 });
    t.same(await piece(3, Number.POSITIVE_INFINITY), { bytes: Buffer.from('lo'), size: 5 });
    t.same(await piece(9, 3), { bytes: Buffer.alloc(0), size: 5 }, 'there is nothing after the end');
    t.equal(await reasonOf(piece(0, 5)), 'tooLarge');
    t.equal(await reasonOf(readFile(access, at('none'), BOUND)), 'notFound');
    t.equal(await reasonOf(readFile(access, at('d'), BOUND)), 'notAFile');
    t.equal(await reasonOf(readFile(access, at('a.txt/x'), BOUND)), 'notADirectory');
    execFileSync('mkfifo', [at('pipe')]);
    t.equal(await reasonOf(readFile(access, at('pipe'), BOUND)), 'notAFile', 'a pipe without a writer');
    await t.rejects(readFile(access, at('none'), BOUND), { message: 'No such file or directory (os error 2)' });
  });

  t.test(`${way}: file is replaced whole and keeps its mode when it is written, also through a link`, async (t) => {
    const { access, at } = await setUp(t, way, { 'a.sh': 'old' });
    chmodSync(at('a.sh'), 0o750);
    symlinkSync('a.sh', at('link'));
    await writeFile(access, at('link'), Buffer.from('new'));
    t.equal(readFileSync(at('a.sh'), 'utf8'), 'new');
    t.equal(statSync(at('a.sh')).mode & 0o777, 0o750);
    t.ok(lstatSync(at('link')).isSymbolicLink());
    symlinkSync('later', at('dangling'));
    await writeFile(access, at('dangling'), Buffer.from('made'), { mode: 0o600 });
    t.equal(readFileSync(at('later'), 'utf8'), 'made');
    t.equal(statSync(at('later')).mode & 0o777, 0o600);
    symlinkSync('loop', at('loop'));
    t.equal(await reasonOf(writeFile(access, at('loop'), Buffer.from(''))), 'linkLoop');
    t.equal(await reasonOf(writeFile(access, at('none/x'), Buffer.from(''))), 'notFound');
    mkdirSync(at('d'));
    t.equal(await reasonOf(writeFile(access, at('d'), Buffer.from(''))), 'isADirectory');
    t.same(readdirSync(at('.')).sort(), ['a.sh', 'd', 'dangling', 'later', 'link', 'loop'], 'nothing is left over');
  });

  t.test(`${way}: old file stays, and nothing else, when a write is given up`, async (t) => {
    const { access, at } = await setUp(t, way, { a: 'old' });
    const pending = await beginWrite(access, at('a'));
    await pending.write(Buffer.from('half'));
    t.equal(readdirSync(at('.')).length, 2);
    await pending.abort();
    t.same(readdirSync(at('.')), ['a']);
    t.equal(readFileSync(at('a'), 'utf8'), 'old');
    const checked = await beginWrite(access, at('a'), {
      check(present) {
        if (present?.size !== 3n) throw new Error('changed meanwhile');
      },
    });
    writeFileSync(at('a'), 'other');
    await t.rejects(checked.commit(), { message: 'changed meanwhile' });
    t.same(readdirSync(at('.')), ['a']);
  });

  t.test(`${way}: folder is made when it is missing, with its parents when the caller asks for them`, async (t) => {
    const { access, at } = await setUp(t, way, { file: '' });
    await createDirectory(access, at('a/b/c'), { recursive: true });
    t.ok(statSync(at('a/b/c')).isDirectory());
    await createDirectory(access, at('a/b/c'), { recursive: true });
    t.equal(await reasonOf(createDirectory(access, at('a'), { recursive: false })), 'exists');
    t.equal(await reasonOf(createDirectory(access, at('file'), { recursive: true })), 'exists');
    t.equal(await reasonOf(createDirectory(access, at('file/x'), { recursive: true })), 'notADirectory');
    t.equal(await reasonOf(createDirectory(access, at('x/y'), { recursive: false })), 'notFound');
    await createDirectory(access, at('.'), { recursive: true });
  });

  t.test(`${way}: metadata is that of the target, with isSymlink, when the path is a link`, async (t) => {
    const { access, at } = await setUp(t, way, { a: '12345' });
    symlinkSync('a', at('link'));
    symlinkSync('none', at('dangling'));
    const { createdAtMs: _created, modifiedAtMs, ...rest } = await readMetadata(access, at('link'));
    t.same(rest, { isDirectory: false, isFile: true, isSymlink: true, size: 5, mode: 0o644 });
    t.equal(modifiedAtMs, Math.floor(statSync(at('a')).mtimeMs));
    t.match(await readMetadata(access, at('.')), { isDirectory: true, isSymlink: false });
    t.equal(await reasonOf(readMetadata(access, at('dangling'))), 'notFound');
  });

  t.test(`${way}: list of a folder has no dangling links, and is refused when it is too long`, async (t) => {
    const { access, at } = await setUp(t, way, { a: '', 'd/x': '' });
    symlinkSync('d', at('link'));
    symlinkSync('none', at('dangling'));
    const listed = await readDirectory(access, at('.'));
    const shown = listed.map(({ name, isDirectory, isFile }) => [name.toString(), isDirectory, isFile]);
    t.same(shown.sort(), [
      ['a', false, true],
      ['d', true, false],
      ['link', true, false],
    ]);
    t.equal((await readDirectory(access, at('link'))).length, 1);
    t.equal(await reasonOf(readDirectory(access, at('a'))), 'notADirectory');
    t.equal(await reasonOf(readDirectory(access, at('.'), { maxEntries: 3 })), 'tooLarge');
    t.equal(await canonicalize(access, at('link/x')).then(String), at('d/x'));
  });

  t.test(`${way}: remove takes a link, not its target, and a full folder only when the caller wants it`, async (t) => {
    const { access, at } = await setUp(t, way, { a: '', 'd/x/y': '', 'd/z': '', 'kept/x': '' });
    symlinkSync(at('kept'), at('d/link'));
    symlinkSync('kept', at('link'));
    await remove(access, at('link'), { recursive: true, force: false });
    t.ok(existsSync(at('kept/x')));
    t.equal(await reasonOf(remove(access, at('d'), { recursive: false, force: false })), 'notEmpty');
    await remove(access, at('d'), { recursive: true, force: false });
    t.notOk(existsSync(at('d')));
    t.ok(existsSync(at('kept/x')));
    t.equal(await reasonOf(remove(access, at('d'), { recursive: true, force: false })), 'notFound');
    await remove(access, at('d'), { recursive: true, force: true });
    await remove(access, at('a'), { recursive: false, force: false });
    t.same(readdirSync(at('.')), ['kept']);
    if (way === 'confined')
      t.equal(await reasonOf(remove(access, at('.'), { recursive: true, force: true })), 'denied');
  });

  t.test(`${way}: copy keeps modes and links, and is refused when a folder would go into itself`, async (t) => {
    const { access, at } = await setUp(t, way, { a: 'A', 'd/x/y': 'Y', 'old/x/z': 'Z' });
    chmodSync(at('a'), 0o751);
    symlinkSync('x/y', at('d/link'));
    await copy(access, { from: at('a'), to: at('b') }, { recursive: false });
    t.equal(statSync(at('b')).mode & 0o777, 0o751);
    await copy(access, { from: at('d'), to: at('old') }, { recursive: true });
    t.equal(readFileSync(at('old/x/y'), 'utf8'), 'Y');
    t.equal(readFileSync(at('old/x/z'), 'utf8'), 'Z');
    t.equal(readlinkSync(at('old/link')), 'x/y');
    t.equal(await reasonOf(copy(access, { from: at('d'), to: at('e') }, { recursive: false })), 'isADirectory');
    t.equal(await reasonOf(copy(access, { from: at('d'), to: at('d/x/n/m') }, { recursive: true })), 'invalid');
    symlinkSync('d', at('alias'));
    t.equal(await reasonOf(copy(access, { from: at('d'), to: at('alias/in') }, { recursive: true })), 'invalid');
    execFileSync('mkfifo', [at('pipe')]);
    t.equal(await reasonOf(copy(access, { from: at('pipe'), to: at('p2') }, { recursive: true })), 'notAFile');
  });

  t.test(`${way}: move replaces a file only when the caller allows it`, async (t) => {
    const { access, at } = await setUp(t, way, { a: 'A', b: 'B', 'd/x': 'X', 'e/y': 'Y' });
    t.equal(await reasonOf(move(access, { from: at('a'), to: at('b') })), 'exists');
    await move(access, { from: at('a'), to: at('b') }, { overwrite: true });
    t.equal(readFileSync(at('b'), 'utf8'), 'A');
    await move(access, { from: at('b'), to: at('d/b') });
    t.equal(readFileSync(at('d/b'), 'utf8'), 'A');
    t.equal(await reasonOf(move(access, { from: at('d'), to: at('e') }, { overwrite: true })), 'notEmpty');
    await move(access, { from: at('d'), to: at('f') });
    t.same(readdirSync(at('f')).sort(), ['b', 'x']);
    t.equal(await reasonOf(move(access, { from: at('none'), to: at('f') })), 'notFound');
  });

  t.test(`${way}: walk goes breadth first in the order of names, and says so when it is cut off`, async (t) => {
    const { access, root, at } = await setUp(t, way, { 'b/x': '', 'b/c/y': '', a: '', '.git/config': '' });
    symlinkSync('..', at('b/up'));
    const paths = async (options: Partial<WalkOptions>) => {
      const { entries, truncated, errors } = await walk(access, root, { ...WALK, ...options });
      t.same(errors, []);
      return [...entries.map(({ path, kind }) => `${path.toString().slice(root.length + 1)}:${kind[0]}`), truncated];
    };
    const all = ['.git:d', 'a:f', 'b:d', 'b/c:d', 'b/up:d', 'b/x:f', 'b/c/y:f', false];
    t.same(await paths({}), all, 'the link to the parent is listed and not followed');
    t.same(
      await paths({ followDirectorySymlinks: false }),
      all.filter((entry) => entry !== 'b/up:d'),
    );
    t.ok((await paths({ pruneHiddenDirectories: false })).includes('.git/config:f'));
    t.same(await paths({ maxDepth: 1 }), ['.git:d', 'a:f', 'b:d', false]);
    t.same(await paths({ maxEntries: 2 }), ['.git:d', 'a:f', true]);
    t.same(await paths({ maxDirectories: 1 }), ['.git:d', 'a:f', 'b:d', true]);
    t.same(await paths({ maxPathBytes: 2 * root.length + '/.git/a'.length }), ['.git:d', 'a:f', true], 'long paths');
    let looks = 0;
    const isWanted = (): boolean => {
      looks += 1;
      return looks < 3;
    };
    t.same(await paths({ isWanted }), ['.git:d', 'a:f', true], 'nobody waits for it any more');
    t.equal(await reasonOf(walk(access, at('none'), WALK)), 'notFound');
  });

  t.test(`${way}: handle reads and writes blocks, and drops what was written when it is not closed`, async (t) => {
    const { access, at } = await setUp(t, way, { a: 'hello', w: 'old' });
    const handles = new FileHandles(access);
    await handles.open('r', at('a'), 'read');
    t.equal(await reasonOf(handles.open('r', at('a'), 'read')), 'handleExists');
    t.same(await handles.readBlock('r', 1, 3), { bytes: Buffer.from('ell'), isLast: false });
    t.same(await handles.readBlock('r', 2, 3), { bytes: Buffer.from('llo'), isLast: true });
    t.same(await handles.readBlock('r', 9, 3), { bytes: Buffer.from(''), isLast: true });
    for (const [offset, length] of [
      [-1, 1],
      [0, 0],
      [0.5, 1],
      [0, MAX_BLOCK_BYTES + 1],
      [2 ** 53, 1],
    ] as const) {
      t.equal(await reasonOf(handles.readBlock('r', offset, length)), 'invalid', `${offset}+${length}`);
    }
    await handles.open('w', at('w'), 'replace');
    await handles.writeBlock('w', 3, Buffer.from('def'));
    await handles.writeBlock('w', 0, Buffer.from('abc'));
    t.equal(readFileSync(at('w'), 'utf8'), 'old');
    t.equal(await reasonOf(handles.readBlock('w', 0, 1)), 'invalid');
    await handles.close('w');
    t.equal(readFileSync(at('w'), 'utf8'), 'abcdef');
    t.equal(await reasonOf(handles.close('w')), 'unknownHandle');
    await handles.close('r');
    for (let n = 0; n < MAX_HANDLES; n += 1) await handles.open(`h${n}`, at('a'), 'read');
    t.equal(await reasonOf(handles.open('more', at('a'), 'read')), 'noRoom');
    await handles.close('h0');
    await handles.open('w', at('w'), 'replace');
    await handles.writeBlock('w', 0, Buffer.from('lost'));
    await handles.closeAll();
    t.equal(readFileSync(at('w'), 'utf8'), 'abcdef');
    t.same(readdirSync(at('.')).sort(), ['a', 'w']);
  });

  t.test(
    `${way}: secret of the server is not read, copied, changed, moved or removed when a path names it in any way`,
    async (t) => {
      const { access, root, at } = await setUp(t, way, { token: 'secret', 'd/x': '' });
      linkSync(at('token'), at('hard'));
      symlinkSync('token', at('soft'));
      symlinkSync(root, at('d/up'));
      const names = ['token', 'hard', 'soft', 'd/up/token'];
      if (way === 'plain') names.push(`../../../../../../proc/self/root/${at('token')}`);
      for (const name of names) {
        t.equal(await reasonOf(readFile(access, join(root, name), BOUND)), 'denied', `read ${name}`);
        t.equal(await reasonOf(new FileHandles(access).open('h', join(root, name), 'read')), 'denied');
        t.equal(await reasonOf(writeFile(access, join(root, name), Buffer.from('mine'))), 'denied', `write ${name}`);
      }
      for (const name of ['token', 'hard']) {
        t.equal(await reasonOf(copy(access, { from: at(name), to: at('copy') }, { recursive: true })), 'denied');
        t.equal(await reasonOf(move(access, { from: at(name), to: at('copy') })), 'denied', `move ${name}`);
        t.equal(await reasonOf(move(access, { from: at('d/x'), to: at(name) }, { overwrite: true })), 'denied');
        t.equal(await reasonOf(remove(access, at(name), { recursive: true, force: true })), 'denied', `remove ${name}`);
      }
      t.equal(
        (await reasonOf(copy(access, { from: root, to: at('../root2') }, { recursive: true }))) === 'done',
        false,
      );
      // The secret is replaced, and its old content has another name.
      renameSync(at('token'), at('moved'));
      writeFileSync(at('token'), 'next');
      t.equal(await reasonOf(readFile(access, at('moved'), BOUND)), 'denied');
      t.equal(await reasonOf(readFile(access, at('token'), BOUND)), 'denied');
      t.equal(readFileSync(at('token'), 'utf8'), 'next');
    },
  );
}

t.test('size that no offset can name is refused', async (t) => {
  const { at } = await setUp(t, 'plain', { f: 'four' });
  const stats = statSync(at('f'), { bigint: true });
  t.equal(exactSize(stats), 4);
  t.equal(await reasonOf((async () => exactSize(Object.assign(stats, { size: 2n ** 60n })))()), 'tooLarge');
});

t.test('plain: a walk of a folder with thousands of entries is sorted', async (t) => {
  const names = Array.from({ length: 9001 }, (_, n) => `${(n * 7919) % 9001}`);
  const { access, root } = await setUp(t, 'plain', Object.fromEntries(names.map((name) => [name, ''])));
  const { entries } = await walk(access, root, { ...WALK, maxEntries: 50_000 });
  t.same(
    entries.map(({ path }) => path.toString().slice(root.length + 1)),
    names.sort(),
  );
});

t.test('plain: a copy of a file that grows all the time ends', async (t) => {
  const { access, at } = await setUp(t, 'plain', { log: 'x'.repeat(1_000_000) });
  let isOver = false;
  const grow = (): void => {
    for (let n = 0; n < 4 && !isOver; n += 1) appendFileSync(at('log'), Buffer.alloc(500_000));
    if (!isOver) setImmediate(grow);
  };
  grow();
  const size = statSync(at('log')).size;
  await copy(access, { from: at('log'), to: at('copy') }, { recursive: false });
  isOver = true;
  t.ok(statSync(at('copy')).size >= size);
});

t.test('plain: folder is neither moved nor removed when it holds a secret', async (t) => {
  const { access, root, at } = await setUp(t, 'plain', { token: 'secret' });
  t.equal(await reasonOf(move(access, { from: root, to: `${root}2` })), 'denied');
  t.equal(await reasonOf(remove(access, root, { recursive: true, force: true })), 'denied');
  t.ok(existsSync(at('token')));
});

t.test('plain: file of /proc is refused when it shows memory or environment, and read when it does not', async (t) => {
  const { access } = await setUp(t, 'plain');
  for (const name of [
    'self/environ',
    'self/mem',
    `${process.pid}/environ`,
    'self/task/../environ',
    'thread-self/mem',
  ]) {
    t.equal(await reasonOf(readFile(access, `/proc/${name}`, BOUND)), 'denied', name);
  }
  t.match((await readFile(access, '/proc/self/status', BOUND)).toString(), /^Name:/);
});
