/** Runs what pages show: a folder in which their programs find their packages, and a program with everything it prints. Knows no page. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import type { Test } from 'tap';

/** The project's folder. */
export const PROJECT = resolve(import.meta.dirname, '../..');
/** Packages that a program of a page may import, each with its place in the project. */
const PACKAGES = { execwire: '.', 'execwire-client': 'client', fastify: 'node_modules/fastify', ws: 'node_modules/ws' };

/**
 * A folder in which programs find the project's packages, and `execwire` on their PATH.
 * @param programs further programs for the PATH, each by its own path
 */
export function programFolder(t: Test, programs: Readonly<Record<string, string>> = {}): string {
  const folder = t.testdir({ bin: {}, node_modules: {} });
  for (const [name, place] of Object.entries(PACKAGES)) {
    symlinkSync(join(PROJECT, place), join(folder, 'node_modules', name));
  }
  const execwire = join(folder, 'bin/execwire');
  writeFileSync(execwire, `#!/bin/sh\nexec "${process.execPath}" "${PROJECT}/dist/execwire.cjs" "$@"\n`);
  chmodSync(execwire, 0o755);
  for (const [name, path] of Object.entries(programs)) symlinkSync(path, join(folder, 'bin', name));
  return folder;
}

/** Runs a program to its end in such a folder. @returns both its outputs, in the order in which they came */
export async function printedBy(folder: string, argv: readonly string[], url: string): Promise<string> {
  const { NODE_OPTIONS: _ofTap, ...inherited } = process.env;
  const path = `${join(folder, 'bin')}${delimiter}${join(process.execPath, '..')}${delimiter}${process.env.PATH}`;
  const file = join(folder, 'printed');
  // One file for both: two pipes would lose their order.
  const output = openSync(file, 'w');
  const child: ChildProcess = spawn(argv[0] ?? '', argv.slice(1), {
    cwd: folder,
    stdio: ['ignore', output, output],
    env: { ...inherited, PATH: path, EXECWIRE_URL: url },
  });
  closeSync(output);
  await once(child, 'close');
  return readFileSync(file, 'utf8').replaceAll('\r\n', '\n');
}
