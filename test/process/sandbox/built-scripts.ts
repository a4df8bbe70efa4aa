/** Bundles programs of the sources into single files, as the build does. Knows no test. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** The thread's script. */
export const WORKER = 'src/process/sandbox/sandbox-worker.ts';

/**
 * Builds these files into a folder from which they find native packages. The folder is removed at the end of this process.
 * @param entries from the project's root. @returns the path of each, in their order
 */
export async function builtScripts<const Entries extends readonly string[]>(
  ...entries: Entries
): Promise<{ [Index in keyof Entries]: string }> {
  const folder = join(ROOT, '.tap', `scripts-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  await build({
    absWorkingDir: ROOT,
    entryPoints: [...entries],
    outdir: folder,
    entryNames: '[name]',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['koffi', 'node-pty'],
    logLevel: 'silent',
  });
  return entries.map((entry) => join(folder, `${entry.slice(entry.lastIndexOf('/') + 1, -3)}.mjs`)) as {
    [Index in keyof Entries]: string;
  };
}
