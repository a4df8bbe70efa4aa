// Owns the command line of a program of this folder in private network, mount and PID namespaces, which end with it, even after a failure.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const NAMESPACES = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];

/**
 * @param {string} name of the program, without its ending
 * @param {{ workFolder: string }} input is handed over as a file, whose path is the program's argument
 * @returns {Promise<string[]>} the words that run it, without namespaces
 */
export async function programWith(name, input) {
  const file = join(input.workFolder, `${name}.json`);
  await writeFile(file, JSON.stringify(input));
  // The loader of the wire client is among the arguments.
  return [process.execPath, ...process.execArgv, join(import.meta.dirname, `${name}.mjs`), file];
}
