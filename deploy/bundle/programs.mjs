// Owns the running of other programs to their end. Knows none of them.
import { execFileSync, spawnSync } from 'node:child_process';

/** Bytes of output; the longest is a list of symbols. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/**
 * Runs a program; what it says on standard error is shown.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string }} [options]
 * @returns {string} its standard output @throws {Error} when it fails
 */
export function outputOf(program, args, { cwd } = {}) {
  return execFileSync(program, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: MAX_OUTPUT_BYTES,
    stdio: ['ignore', 'pipe', 'inherit'],
    // The same words everywhere.
    env: { ...process.env, LC_ALL: 'C' },
  });
}

/** @param {string} program @returns {boolean} whether it is there */
export function isThere(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** @param {string} program @param {string} debianPackage @throws {Error} that names the package */
export function requireProgram(program, debianPackage) {
  if (!isThere(program)) throw new Error(`${program} is missing (Debian: apt-get install ${debianPackage})`);
}
