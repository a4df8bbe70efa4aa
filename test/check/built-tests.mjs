// Bundles test files together with the sources that they import, so that each runs on plain Node: a loader of TypeScript takes more of the processor
// than most test files do, in each of them. The bundles share what more than one file imports. Knows no test.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const TESTS = 'test';
/** Node alone does not find the names that this package exports, so that a module of them stands in for it where it is imported late. */
const NAMELESS_PACKAGE = '@xterm/headless';
const ITS_NAMES = `import all from '${NAMELESS_PACKAGE}'; export const { Terminal } = all;`;
const TEST_FILE = /\.test\.ts$/;

/**
 * @param {readonly string[]} wanted files and folders; all when there are none
 * @returns {string[]} the test files among them
 */
export function testFiles(wanted) {
  const all = readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
    .filter((name) => TEST_FILE.test(name))
    .map((name) => join(TESTS, name))
    .sort();
  if (wanted.length === 0) return all;
  const paths = wanted.map((path) => normalize(path).replace(/\/$/, ''));
  return all.filter((file) => paths.some((path) => file === path || file.startsWith(path + sep)));
}

/**
 * Builds test files into a folder of this process, which is removed at its end. Stack traces lead to the sources if Node runs with `--enable-source-maps`.
 * @param {readonly string[]} files
 * @returns {Promise<ReadonlyMap<string, string>>} the bundle of each file
 */
export async function builtTests(files) {
  // In the project, because the bundles find its packages from there, and no other run writes into it.
  const folder = join('.tap', `tests-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  await build({
    entryPoints: [...files],
    outdir: folder,
    outbase: '.',
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    keepNames: true,
    sourcemap: true,
    sourcesContent: false,
    logLevel: 'warning',
    plugins: [
      { name: 'packages', setup: leavePackages },
      { name: 'own places', setup: keepPlaces },
    ],
  });
  return new Map(files.map((file) => [file, join(folder, file.replace(/ts$/, 'js'))]));
}

/** Leaves packages to Node. */
function leavePackages(bundler) {
  bundler.onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
    if (kind === 'entry-point') return undefined;
    if (path === NAMELESS_PACKAGE && kind === 'dynamic-import') return { path, namespace: 'names' };
    return { path, external: true };
  });
  bundler.onLoad({ filter: /./, namespace: 'names' }, () => ({ contents: ITS_NAMES }));
}

/** Lets a file that asks where it lies hear where its source lies. */
function keepPlaces(bundler) {
  bundler.onLoad({ filter: /\.(ts|mjs)$/ }, ({ path }) => ({
    loader: path.endsWith('ts') ? 'ts' : 'js',
    contents: readFileSync(path, 'utf8')
      .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
      .replaceAll('import.meta.dirname', JSON.stringify(dirname(path))),
  }));
}
