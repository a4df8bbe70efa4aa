// Owns the packing of a folder into archives that are the same on every machine. Knows nothing of the content.
import { rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { outputOf, requireProgram } from './programs.mjs';

/** Each file's time: a build has none of its own. 2000-01-01. */
const TIME = '@946684800';

/** How each kind is made from the plain archive, which stays. One thread, because the number of threads changes the result. */
const PACKERS = {
  tar: undefined,
  'tar.gz': ['gzip', '--no-name', '--best', '--keep', '--force'],
  'tar.zst': ['zstd', '--quiet', '-19', '--single-thread', '--keep', '--force'],
};
export const KINDS = Object.keys(PACKERS);

/**
 * @param {string} folder whose name is the first part of each name in the archive
 * @param {{ to: string, kinds: readonly string[] }} options `to`: path without the kind
 * @returns {string[]} paths
 */
export function pack(folder, { to, kinds }) {
  const tar = `${to}.tar`;
  outputOf('tar', [
    ...['--create', '--file', tar, '--directory', dirname(folder), '--format=ustar', '--sort=name', `--mtime=${TIME}`],
    ...['--owner=0', '--group=0', '--numeric-owner', basename(folder)],
  ]);
  for (const kind of kinds) {
    const [program, ...args] = PACKERS[kind] ?? [];
    if (program === undefined) continue;
    requireProgram(program, program);
    outputOf(program, [...args, tar]);
  }
  if (!kinds.includes('tar')) rmSync(tar);
  return kinds.map((kind) => `${to}.${kind}`);
}
