// Shows that a confined access reads and changes nothing outside its root: not by links, and not while another program swaps folders for links.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { canonicalize } from '../../src/files/canonicalize.js';
import { ConfinedAccess, ConfinementError } from '../../src/files/confined-access.js';
import { copy } from '../../src/files/copy.js';
import { createDirectory } from '../../src/files/create-directory.js';
import type { FileAccess } from '../../src/files/file-access.js';
import { FileError } from '../../src/files/file-error.js';
import { FileHandles } from '../../src/files/file-handles.js';
import { readMetadata } from '../../src/files/metadata.js';
import { move } from '../../src/files/move.js';
import { readDirectory } from '../../src/files/read-directory.js';
import { readFile, readFilePiece } from '../../src/files/read-file.js';
import { remove } from '../../src/files/remove.js';
import { SecretFiles } from '../../src/files/secret-files.js';
import { walk } from '../../src/files/walk.js';
import { watchPath } from '../../src/files/watch.js';
import { writeFile } from '../../src/files/write-file.js';
import { loadLibc } from '../../src/process/libc.js';
import { reasonOf, setUp } from './file-setup.js';

/** Milliseconds for a race on a very busy machine. */
const RACE_LIMIT_MS = 600_000;
const BOUND = { maxBytes: 1_000_000 };
const NEW = Buffer.from('written');
const TREE = { recursive: true, force: true };
const WALK = {
  maxDepth: 10,
  maxDirectories: 1000,
  maxEntries: 1000,
  followDirectorySymlinks: true,
  pruneHiddenDirectories: false,
};

/** Every operation, on a path. Each returns what its caller gets. */
const OPERATIONS: Readonly<Record<string, (access: FileAccess, path: string) => Promise<unknown>>> = {
  readFile: (access, path) => readFile(access, path, BOUND),
  readFilePiece: async (access, path) =>
    (await readFilePiece(access, path, { offset: 0, limit: 1_000, maxBytes: 1_000 })).bytes,
  writeFile: (access, path) => writeFile(access, path, NEW),
  'createDirectory with parents': (access, path) => createDirectory(access, `${path}.d/deep`, { recursive: true }),
  createDirectory: (access, path) => createDirectory(access, `${path}.e`, { recursive: false }),
  readMetadata: (access, path) => readMetadata(access, path),
  readDirectory: async (access, path) =>
    (await readDirectory(access, join(path, '..'))).map(({ name }) => name.toString()),
  canonicalize: (access, path) => canonicalize(access, path),
  walk: async (access, path) =>
    (await walk(access, join(path, '..'), WALK)).entries.map((entry) => entry.path.toString()),
  'remove a file': (access, path) => remove(access, path, { recursive: false, force: false }),
  'remove a folder': (access, path) => remove(access, join(path, '..', 'sub'), TREE),
  'remove the folder that is swapped': (access, path) => remove(access, join(path, '..'), TREE),
  'copy out of it': async (access, path) => {
    await copy(access, { from: path, to: join(path, '../../copied') }, { recursive: false });
    return readFile(access, join(path, '../../copied'), BOUND);
  },
  'copy into it': (access, path) =>
    copy(access, { from: join(path, '../../source'), to: join(path, '../made') }, { recursive: true }),
  'copy the folder that is swapped': async (access, path) => {
    await copy(access, { from: join(path, '..'), to: join(path, '../../tree') }, { recursive: true });
    return readFile(access, join(path, '../../tree/file'), BOUND);
  },
  'move out of it': async (access, path) => {
    await move(access, { from: path, to: join(path, '../../moved') }, { overwrite: true });
    return readFile(access, join(path, '../../moved'), BOUND);
  },
  'move into it': async (access, path) => {
    await writeFile(access, join(path, '../../mover'), NEW);
    await move(access, { from: join(path, '../../mover'), to: path }, { overwrite: true });
  },
  'open, readBlock': async (access, path) => {
    const handles = new FileHandles(access);
    await handles.open('h', path, 'read');
    return (await handles.readBlock('h', 0, 100).finally(() => handles.closeAll())).bytes;
  },
  'open, writeBlock, close': async (access, path) => {
    const handles = new FileHandles(access);
    await handles.open('h', path, 'replace');
    try {
      await handles.writeBlock('h', 0, NEW);
      await handles.close('h');
    } finally {
      await handles.closeAll();
    }
  },
  watchPath: async (access, path) => {
    const watch = await watchPath(access, path, { changed: () => {} });
    watch.close();
  },
};

/** Paths and contents of everything in a folder. Links are not followed. */
function contentOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return `${path} ${entry.isFile() ? readFileSync(path, 'utf8') : ''}`;
    })
    .sort();
}

t.test('operation is refused when a link or .. leads out of the root', async (t) => {
  const { access, outside, at } = await setUp(t, 'confined', {
    source: 'inside',
    '../outside/file': 'outside',
    '../outside/sub/file': 'outside',
  });
  symlinkSync(outside, at('absolute'));
  symlinkSync('../outside', at('relative'));
  mkdirSync(at('d'));
  symlinkSync(join(outside, 'file'), at('d/file'));
  symlinkSync('/proc/self/root', at('magic'));
  const before = contentOf(outside);
  for (const [name, operate] of Object.entries(OPERATIONS)) {
    const paths = ['absolute/file', 'relative/file', `magic${outside}/file`];
    for (const path of paths) {
      const reason = await reasonOf(operate(access, at(path)));
      if (name === 'remove the folder that is swapped') t.match(reason, /done|outsideRoot/, `${name} ${path}`);
      else if (name === 'copy the folder that is swapped')
        t.match(reason, /outsideRoot|notADirectory|exists/, `${name} ${path}`);
      else t.equal(reason, 'outsideRoot', `${name} ${path}`);
      for (const link of ['absolute', 'relative', 'magic']) {
        if (!existsSync(at(link))) symlinkSync(outside, at(link));
      }
    }
    t.same(contentOf(outside), before, `${name} changed nothing outside`);
  }
  t.equal(await reasonOf(readFile(access, join(outside, 'file'), BOUND)), 'outsideRoot');
  t.equal(await reasonOf(readFile(access, at('../outside/file'), BOUND)), 'outsideRoot');
  t.equal(await reasonOf(readFile(access, at('d/file'), BOUND)), 'outsideRoot');
  t.equal(await reasonOf(writeFile(access, at('d/file'), NEW)), 'outsideRoot');
  t.equal(
    await reasonOf(readFile(access, at('absolute/none'), BOUND)),
    'outsideRoot',
    'does not tell whether it is there',
  );
  t.same(contentOf(outside), before);
});

t.test('link is followed when it stays in the root, also when it is absolute', async (t) => {
  const { access, at } = await setUp(t, 'confined', { 'd/file': 'inside' });
  symlinkSync(at('d'), at('absolute'));
  symlinkSync('../d', at('d/around'));
  for (const name of ['absolute/file', 'd/around/file', 'absolute/around/file']) {
    t.equal((await readFile(access, at(name), BOUND)).toString(), 'inside', name);
  }
  await writeFile(access, at('absolute/new'), NEW);
  t.equal(readFileSync(at('d/new'), 'utf8'), 'written');
});

t.test(
  'operation reads and changes nothing outside when folders and files are swapped for links meanwhile',
  { timeout: RACE_LIMIT_MS },
  async (t) => {
    const { access, root, outside, at } = await setUp(t, 'confined', {
      source: 'inside',
      '../outside/file': 'outside',
      '../outside/sub/file': 'outside',
    });
    const before = contentOf(outside);
    const racer = fork(new URL('racer.mjs', import.meta.url).pathname, [root, outside], { execArgv: [] });
    t.teardown(() => racer.kill());
    await once(racer, 'message');
    const outcomes = new Map<string, number>();
    const noteRefusal = (error: unknown): void => {
      if (!(error instanceof FileError)) throw error;
      outcomes.set(error.reason, (outcomes.get(error.reason) ?? 0) + 1);
    };
    for (const [name, operate] of Object.entries(OPERATIONS)) {
      let done = 0;
      for (let tries = 0; tries < 60; tries += 1) {
        try {
          const given = await operate(access, at('folder/file'));
          done += 1;
          const text = given instanceof Buffer ? given.toString() : JSON.stringify(given ?? '');
          if (text === 'outside' || text.includes(outside)) t.fail(`${name} gave away: ${text}`);
        } catch (error) {
          noteRefusal(error);
        }
      }
      outcomes.set(name, done);
      if (contentOf(outside).join() !== before.join()) {
        t.same(contentOf(outside), before, name);
        break;
      }
    }
    // On a busy machine all tries may have met the same state.
    while (!outcomes.has('outsideRoot')) await readFile(access, at('folder/file'), BOUND).catch(noteRefusal);
    const ended = once(racer, 'exit');
    racer.disconnect();
    await ended;
    t.comment(JSON.stringify(Object.fromEntries(outcomes)));
    t.same(contentOf(outside), before);
    t.ok((outcomes.get('outsideRoot') ?? 0) > 0, 'some operations met a link');
  },
);

t.test('write is refused when it is outside the roots for writing, or names something protected in them', async (t) => {
  const { root, outside, at } = await setUp(t, 'plain', { 'w/a': '', 'w/.git/config': 'kept', other: '' });
  const access = await ConfinedAccess.open({
    readRoots: undefined,
    writeRoots: [at('w')],
    protectedNames: ['.git', '.codex'],
    secrets: new SecretFiles([]),
    openBeneath: (await loadLibc()).openBeneath,
  });
  t.teardown(() => access.close());
  symlinkSync('.git', at('w/alias'));
  await writeFile(access, at('w/b'), NEW);
  t.equal(await reasonOf(writeFile(access, at('other'), NEW)), 'readOnly');
  t.equal(await reasonOf(writeFile(access, join(outside, 'x'), NEW)), 'readOnly');
  for (const name of ['w/.git/config', 'w/alias/config', 'w/.codex']) {
    t.equal(await reasonOf(writeFile(access, at(name), NEW)), 'denied', name);
  }
  t.equal(await reasonOf(remove(access, at('w/.git'), TREE)), 'denied');
  t.equal(await reasonOf(move(access, { from: at('w/.git'), to: at('w/x') })), 'denied');
  t.equal(await reasonOf(createDirectory(access, at('w/.codex/x'), { recursive: true })), 'denied');
  t.equal((await readFile(access, at('other'), BOUND)).toString(), '');
  t.ok((await readDirectory(access, root)).length > 1);
});

t.test('confined access is refused when its root is no folder, or when the kernel cannot confine it', async (t) => {
  const { root, at } = await setUp(t, 'plain', { file: '' });
  const { openBeneath } = await loadLibc();
  const secrets = new SecretFiles([]);
  const open = (readRoots: string[], call: typeof openBeneath) =>
    ConfinedAccess.open({ readRoots, writeRoots: readRoots, secrets, openBeneath: call });
  await t.rejects(open([root], undefined), ConfinementError);
  await t.rejects(
    open([root], async () => 'ENOSYS'),
    { message: /openat2/ },
  );
  await t.rejects(open([at('file')], openBeneath), { message: /Not a directory|ENOTDIR/ });
  await t.rejects(open([at('none')], openBeneath), ConfinementError);
  writeFileSync(at('file'), 'x');
});
