/**
 * Builds `dist/`: the server as one file, which starts in half the time of its modules, and the client and the protocol as modules
 * with their types. Native packages stay outside.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { build } from 'esbuild';

const { dependencies } = createRequire(import.meta.url)('./package.json');
/** Loaded from node_modules when they are needed: they hold binaries, or are for few users. */
const external = ['node-pty', 'koffi', 'pino-pretty', 'prom-client', 'jose', '@opentelemetry/*'].filter(
  (name) => name.endsWith('*') || name in dependencies || name === 'pino-pretty',
);

rmSync('dist', { recursive: true, force: true });
const common = { bundle: true, platform: 'node', target: 'node20', logLevel: 'warning', legalComments: 'none' };
await build({
  ...common,
  entryPoints: { execwire: 'src/main.ts' },
  format: 'cjs',
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
  external,
});
chmodSync('dist/execwire.cjs', 0o755);
await build({
  ...common,
  entryPoints: { client: 'client/client.ts' },
  format: 'esm',
  platform: 'neutral',
  outdir: 'dist',
  external: ['node:*'],
});
await build({
  ...common,
  entryPoints: { protocol: 'src/protocol/methods.ts' },
  format: 'esm',
  outdir: 'dist',
  external: ['zod'],
});
const types = spawnSync('node_modules/.bin/tsc', ['-p', 'tsconfig.types.json'], { stdio: 'inherit' });
process.exit(types.status ?? 1);
