// Shows what the launcher runs and which code caches it uses, with small stand-ins for the bundles. Knows no server.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import t, { type Test } from 'tap';

const HASH = 'abc';
const CLIENT_HASH = 'def';
/** Prints how it was loaded and its arguments. With `stay` as the first one it lives long enough for the launcher to write the cache. */
const BUNDLE = `
const path = require('node:path');
function said() { return [typeof module.exports, path.basename(__filename), path.basename(__dirname), require.resolve('./server.cjs') === __filename]; }
console.log(JSON.stringify([...said(), process.argv.slice(2)]));
setTimeout(() => {}, process.argv[2] === 'stay' ? 800 : 0);
`;
/** Prints its arguments and how it was loaded, and ends with 7. */
const CLIENT_BUNDLE = `
const path = require('node:path');
exports.runClientCommand = (argv) => {
  console.log(JSON.stringify([path.basename(__filename), argv]));
  process.exit(7);
};
`;

async function makeProgram(t: Test): Promise<string> {
  const folder = join(t.testdir({}), 'program');
  mkdirSync(folder);
  writeFileSync(join(folder, 'server.cjs'), BUNDLE);
  writeFileSync(join(folder, 'client-commands.cjs'), CLIENT_BUNDLE);
  await build({
    entryPoints: { execwire: join(import.meta.dirname, '../../src/launcher.ts') },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outdir: folder,
    outExtension: { '.js': '.cjs' },
    define: { BUNDLE_HASHES: JSON.stringify({ 'server.cjs': HASH, 'client-commands.cjs': CLIENT_HASH }) },
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

t.test('launcher leaves a code cache of the client commands when one ends, and uses it for the next one', async (t) => {
  const folder = await makeProgram(t);
  const exec = (): void => {
    const { stdout, status } = spawnSync(process.execPath, [join(folder, 'execwire.cjs'), 'exec', '-i'], {
      encoding: 'utf8',
    });
    t.equal(stdout, `${JSON.stringify(['client-commands.cjs', ['exec', '-i']])}\n`);
    t.equal(status, 7);
  };
  exec();
  const [name = '', ...more] = readdirSync(join(folder, 'cache'));
  t.ok(name.startsWith(`${CLIENT_HASH}-${process.version}-`), name);
  t.same(more, [], 'the server was not loaded');
  const file = join(folder, 'cache', name);
  const cache = readFileSync(file);
  exec();
  t.same(readFileSync(file), cache, 'it is not written again');
  writeFileSync(file, 'something else');
  exec();
  t.not(readFileSync(file, 'latin1'), 'something else', 'one that V8 refuses is written again');
  const other = await makeProgram(t);
  writeFileSync(join(other, 'cache'), 'a file where the folder should be');
  t.equal(spawnSync(process.execPath, [join(other, 'execwire.cjs'), 'exec']).status, 7, 'with no room for a cache');
});
