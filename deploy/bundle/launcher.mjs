// Owns the compiling of the launcher, `launcher/*.c`, to one static program. Knows nothing of the folder that it starts.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isThere, outputOf, requireProgram } from './programs.mjs';

const SOURCES = join(import.meta.dirname, '../../launcher');
/** Warnings are errors. The paths of this machine stay out of the program. */
const FLAGS = [
  ...['-std=c11', '-Os', '-static', '-s', '-Wl,--build-id=none', '-fno-ident'],
  ...['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Wshadow', '-Werror'],
];

/** @returns {string} musl's compiler, whose programs are a tenth as large, or that of glibc */
export function launcherCompiler() {
  if (isThere('musl-gcc')) return 'musl-gcc';
  requireProgram('gcc', 'musl-tools, or gcc and libc6-dev');
  return 'gcc';
}

/**
 * @param {string} compiler
 * @param {{ loader: string, to: string }} options `loader`: the name of glibc's loader for that processor; `to`: the program
 */
export function compileLauncher(compiler, { loader, to }) {
  const names = readdirSync(SOURCES).filter((name) => name.endsWith('.c'));
  // Sorted, and by names alone, so that the program is the same from every folder.
  outputOf(compiler, [...FLAGS, `-DLOADER="${loader}"`, ...names.sort(), '-o', to], { cwd: SOURCES });
}
