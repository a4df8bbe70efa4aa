/**
 * Builds `dist/`: the server as one file and the launcher that runs it from V8's code cache, and the page of the terminal, and the client
 * and the protocol as modules with their types.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { bundleServer, licencesOf, nativeFiles } from './bundle.mjs';
import { buildClient } from './client/build.mjs';
import { buildPage } from './web/build.mjs';

const { values: options } = parseArgs({ options: { outdir: { type: 'string', default: 'dist' } } });
const { outdir } = options;
/**
 * The installed program is a script of the shell and of JavaScript at once. Node raises its limit of descriptors before any JavaScript runs, so only
 * a shell can pass on the given limit. `--` keeps Node from taking flags such as `--env-file` for its own.
 *
 * Node also opens /dev/null in place of standard input or output that is closed, so that what is written there would be lost without an error. The
 * shell opens it the wrong way round instead: reading and writing then fail with EBADF, as with the closed one.
 */
const SHELL_LAUNCHER = `#!/bin/sh
':' //; { true 9<&0 || exec 0>/dev/null; true 9>&1 || exec 1</dev/null; } 2>/dev/null; true 9>&2 || exec 2</dev/null
':' //; EXECWIRE_DESCRIPTOR_LIMIT=$(ulimit -Sn) exec node -- "$0" "$@"`;
/** How long the first start may take to write its code cache. */
const CODE_CACHE_LIMIT_MS = 10_000;
/** Bundles that have one: the server and the commands. */
const CACHED = ['server.cjs', 'client-commands.cjs'];

/** Starts the server and a command once, so that the next start on this Node finds code caches. Without them a start is only slower. */
async function makeCodeCaches() {
  const program = `${outdir}/execwire.cjs`;
  const server = spawn(process.execPath, [program, 'serve', '--listen', 'ws://127.0.0.1:0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = new Promise((resolve) => server.once('exit', resolve));
  const url = await new Promise((resolve) => {
    let said = '';
    server.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
      const [, found] = /listening on: (\S+)/.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    });
    server.once('exit', () => resolve(undefined));
  });
  if (url !== undefined)
    spawnSync(process.execPath, [program, 'exec', '--url', url, '--', 'true'], { stdio: 'ignore' });
  const limit = performance.now() + CODE_CACHE_LIMIT_MS;
  while (cacheCount() < CACHED.length && server.exitCode === null && performance.now() < limit) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  server.kill('SIGTERM');
  await exited;
}

function cacheCount() {
  const folder = `${outdir}/cache`;
  return existsSync(folder) ? readdirSync(folder).length : 0;
}

rmSync(outdir, { recursive: true, force: true });
const common = { bundle: true, platform: 'node', target: 'node20', logLevel: 'warning', legalComments: 'none', outdir };
const bundled = await bundleServer(outdir);
for (const { from, to } of nativeFiles()) cpSync(from, join(outdir, to));
const inPage = await buildPage(join(outdir, 'ui'));
writeFileSync(join(outdir, 'THIRD-PARTY-LICENSES.txt'), licencesOf([...new Set([...bundled, ...inPage])].sort()));
await build({
  ...common,
  entryPoints: { execwire: 'src/launcher.ts' },
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  banner: { js: SHELL_LAUNCHER },
  define: { BUNDLE_HASHES: JSON.stringify(hashesOf(CACHED)) },
});
chmodSync(`${outdir}/execwire.cjs`, 0o755);
// Twice, because the client is part of the server's package and also a package of its own.
await buildClient(resolve(outdir, 'client'));
if (outdir === 'dist') await buildClient(resolve('client/dist'));
await build({
  ...common,
  entryPoints: { protocol: 'src/protocol/methods.ts' },
  format: 'esm',
});
// The plugin for other programs. It starts the server as a process of its own, so no part of the server is in this bundle.
await build({
  ...common,
  entryPoints: { fastify: 'src/embed/fastify.ts', 'ends-with-parent': 'src/embed/ends-with-parent.ts' },
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  define: { 'import.meta.dirname': '__dirname' },
});
const types = spawnSync('node_modules/.bin/tsc', ['-p', 'tsconfig.types.json', '--outDir', `${outdir}/types`], {
  stdio: 'inherit',
});
await makeCodeCaches();
process.exit(types.status ?? 1);

/** @param {string[]} names @returns {Record<string, string>} by the name of the bundle */
function hashesOf(names) {
  return Object.fromEntries(
    names.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(outdir, name)))
        .digest('hex')
        .slice(0, 16),
    ]),
  );
}
