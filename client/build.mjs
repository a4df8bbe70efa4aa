// Builds the client into a folder: one file for Node, one for browsers, and the types. Its own package and `execwire/client` use it.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const folder = fileURLToPath(new URL('.', import.meta.url));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

/**
 * @param {string} outdir where to
 * @throws {Error} when the types cannot be made
 */
export async function buildClient(outdir) {
  await build({
    entryPoints: { node: `${folder}src/node.ts`, browser: `${folder}src/browser.ts` },
    outdir,
    bundle: true,
    format: 'esm',
    // For both: two imports are left, and only in the file for Node.
    platform: 'neutral',
    target: 'es2022',
    external: ['ws', 'node:events'],
    logLevel: 'warning',
    legalComments: 'none',
  });
  const { status } = spawnSync(process.execPath, [tsc, '-p', `${folder}tsconfig.json`, '--outDir', `${outdir}/types`], {
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`the types of the client were not made: tsc ended with ${status}`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await buildClient(`${folder}dist`);
