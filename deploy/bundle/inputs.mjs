// Owns what the runtime folder takes from outside the project: npm's package of Node, and files of Debian's packages. Finds them and says what they are; copies nothing.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { outputOf, requireProgram } from './programs.mjs';

/**
 * Something that the folder is made from.
 * @typedef {{ name: string, version: string, file: string, sha256: string }} Input
 */

/** @param {string} path @returns {string} */
export function sha256Of(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/**
 * Fetches npm's package of Node and unpacks it.
 * @param {import('./platform.mjs').Platform} platform
 * @param {string} folder where to
 * @returns {{ folder: string, input: Input }}
 */
export function fetchNode({ nodePackage, nodeIntegrity }, folder) {
  mkdirSync(folder, { recursive: true });
  const said = outputOf('npm', ['pack', '--json', '--pack-destination', folder, nodePackage], { cwd: folder });
  const [{ name, version, filename, integrity }] = JSON.parse(said);
  if (integrity !== nodeIntegrity) throw new Error(`${nodePackage} is ${integrity}, which is not the pinned package`);
  const tarball = join(folder, filename);
  outputOf('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1', '--no-same-owner']);
  return { folder, input: { name, version, file: filename, sha256: sha256Of(tarball) } };
}

/**
 * A file of a package of Debian that is installed here.
 * @param {string} path
 * @returns {Input & { path: string, copyright: string }} `copyright`: the package's file of that name
 */
export function debianFile(path) {
  if (!existsSync(path)) throw new Error(`${path} is missing`);
  const name = packageOf(path);
  const [, version = ''] = /^Version: (.+)$/m.exec(outputOf('dpkg-query', ['--status', name])) ?? [];
  const plainName = name.split(':')[0];
  const copyright = `/usr/share/doc/${plainName}/copyright`;
  if (!existsSync(copyright)) throw new Error(`${copyright} is missing, and has to be part of each copy`);
  return { name: plainName, version, file: path, sha256: sha256Of(realpathSync(path)), path, copyright };
}

/** The package that a file came with. It may be registered by the name of a folder that has become a link, such as /lib. */
function packageOf(path) {
  const real = realpathSync(path);
  const names = [path, real, path.replace(/^\/usr/, ''), real.replace(/^\/usr/, '')];
  // It prints what it knows, and fails where it does not know all.
  const { stdout } = spawnSync('dpkg-query', ['--search', ...names], { encoding: 'utf8' });
  const [owner, found] = (stdout ?? '').split(': ');
  if (found === undefined) throw new Error(`${path} belongs to no package of Debian`);
  return owner;
}

/**
 * The libraries that programs and modules need, with those that these need in turn.
 * @param {readonly string[]} files
 * @param {import('./platform.mjs').Platform} platform
 * @returns {string[]} names, sorted
 */
export function librariesOf(files, { libraries, loader }) {
  requireProgram('readelf', 'binutils');
  const found = new Set([loader]);
  const open = [...files];
  while (open.length > 0) {
    const said = outputOf('readelf', ['--dynamic', open.pop()]);
    for (const [, name] of said.matchAll(/\(NEEDED\).*\[(.+)\]/g)) {
      if (found.has(name)) continue;
      found.add(name);
      open.push(join(libraries, name));
    }
  }
  return [...found].sort();
}
