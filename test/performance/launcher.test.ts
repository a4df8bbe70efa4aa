// Shows what the launcher runs and which code caches it uses, with a small stand-in for the bundle. Knows no server.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import t, { type Test } from 'tap';

const HASH = 'abc';
/** Prints how it was loaded and its arguments. With `stay` as the first one it lives long enough for the launcher to write the cache. */
const BUNDLE = `
const path = require('node:path');
function said() { return [typeof module.exports, path.basename(__filename), path.basename(__dirname), require.resolve('./server.cjs') === __filename]; }
console.log(JSON.stringify([...said(), process.argv.slice(2)]));
setTimeout(() => {}, process.argv[2] === 'stay' ? 800 : 0);
`;

async function makeProgram(t: Test): Promise<string> {
  const folder = join(t.testdir({}), 'program');
  mkdirSync(folder);
  writeFileSync(join(folder, 'server.cjs'), BUNDLE);
  await build({
    entryPoints: { execwire: join(import.meta.dirname, '../../src/launcher.ts') },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outdir: folder,
    outExtension: { '.js': '.cjs' },
    define: { BUNDLE_HASH: JSON.stringify(HASH) },
  });
  return folder;
}

function run(folder: string, ...args: string[]): string {
  return runUnder([], folder, ...args);
}

function runUnder(flags: readonly string[], folder: string, ...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, [...flags, join(folder, 'execwire.cjs'), ...args], {
    encoding: 'utf8',
  });
  return status === 0 ? stdout : stderr;
}

const SAID = (...args: string[]): string => `${JSON.stringify(['object', 'server.cjs', 'program', true, args])}\n`;

t.test('launcher runs the bundle as a module and leaves a code cache when it lives long enough', async (t) => {
  const folder = await makeProgram(t);
  t.equal(run(folder, 'quick', '-v'), SAID('quick', '-v'));
  t.throws(() => readdirSync(join(folder, 'cache')), 'a short run leaves none');
  t.equal(run(folder, 'stay'), SAID('stay'));
  const [file = '', ...more] = readdirSync(join(folder, 'cache'));
  t.ok(file.startsWith(`${HASH}-${process.version}-${process.arch}-`), file);
  t.same(more, []);
});

t.test('launcher uses one code cache for each set of flags of V8 when Node was given some', async (t) => {
  const folder = await makeProgram(t);
  const flags = ['--max-lazy'];
  run(folder, 'stay');
  runUnder(flags, folder, 'stay');
  const files = readdirSync(join(folder, 'cache'));
  t.equal(files.length, 2, 'each set of flags has its own');
  const kept = files.map((file) => readFileSync(join(folder, 'cache', file)));
  run(folder, 'stay');
  runUnder(flags, folder, 'stay');
  t.same(readdirSync(join(folder, 'cache')), files);
  t.same(
    files.map((file) => readFileSync(join(folder, 'cache', file))),
    kept,
    'both are used and not written again',
  );
});

t.test('launcher writes a code cache again when V8 refuses it', async (t) => {
  const folder = await makeProgram(t);
  run(folder, 'stay');
  const [file = ''] = readdirSync(join(folder, 'cache'));
  const path = join(folder, 'cache', file);
  writeFileSync(path, 'something else');
  t.equal(run(folder, 'stay'), SAID('stay'));
  t.not(readFileSync(path, 'latin1'), 'something else');
});

t.test('launcher runs the bundle when the cache is there, is useless or cannot be written', async (t) => {
  const folder = await makeProgram(t);
  run(folder, 'stay');
  const [name = ''] = readdirSync(join(folder, 'cache'));
  const file = join(folder, 'cache', name);
  const cache = readFileSync(file);
  t.equal(run(folder), SAID(), 'with its cache');
  t.same(readFileSync(file), cache, 'the cache is not written again');
  writeFileSync(file, 'something else');
  t.equal(run(folder), SAID(), 'with a cache that V8 refuses');
  const other = await makeProgram(t);
  writeFileSync(join(other, 'cache'), 'a file where the folder should be');
  t.equal(run(other, 'stay'), SAID('stay'), 'with no room for a cache');
});
