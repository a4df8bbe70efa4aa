/** Compiles the launcher of the runtime folder with the host's compiler, so that tests can run it without the folder. Knows none of its ways. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Test } from 'tap';

const SOURCES = resolve(import.meta.dirname, '../../launcher');
/** Stands for the name of glibc's loader. */
export const TEST_LOADER = 'loader';

/** Why the launcher cannot be tried here; false if it can. */
export const NO_LAUNCHER: false | string =
  process.platform === 'linux' && spawnSync('cc', ['--version']).status === 0 ? false : 'needs Linux and cc';

/** A runtime folder with nothing but the launcher, as `bin/execwire`. @throws {Error} with what the compiler says */
export function launcherFolder(t: Test): string {
  const folder = t.testdir({});
  mkdirSync(join(folder, 'bin'));
  const files = readdirSync(SOURCES).filter((name) => name.endsWith('.c'));
  const argv = ['-std=c11', '-O1', `-DLOADER="${TEST_LOADER}"`, ...files, '-o', join(folder, 'bin/execwire')];
  const { status, stderr } = spawnSync('cc', argv, { cwd: SOURCES, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return folder;
}
