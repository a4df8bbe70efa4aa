/**
 * What the server's program is bundled from: `build.mjs` writes it, `deploy/sbom.mjs` and the licences list what is in it. Knows nothing of
 * the client. koffi alone stays outside, because npm picks its binary for the machine; node-pty's few are copied beside the bundle.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/** Files of their own, loaded when somebody asks: each would make every start longer. By what is imported, and what is bundled for it. */
const LAZY = {
  jose: 'jose',
  'prom-client': 'prom-client',
  '@opentelemetry/api': '@opentelemetry/api',
  '@xterm/headless': '@xterm/headless',
  '@xterm/addon-serialize': '@xterm/addon-serialize',
  '../telemetry/sdk.js': './src/telemetry/sdk.ts',
};
/** Scripts of threads, which are loaded by their names. */
const WORKERS = { 'sandbox-worker': 'src/process/sandbox/sandbox-worker.ts' };
/** Found in node_modules, or not at all. */
const OUTSIDE = ['koffi', 'pino-pretty'];

/** @param {string} name of what is imported */
function fileOf(name) {
  if (name.startsWith('..')) return 'telemetry-sdk';
  // `@opentelemetry/api` is `opentelemetry-api.cjs`.
  return name.replace('@', '').replace('/', '-');
}

/** Has what is lazy required from beside the bundle. */
const lazyFiles = {
  name: 'lazy files',
  setup({ onResolve }) {
    onResolve(
      {
        filter: /^(jose|prom-client|@opentelemetry\/api|@xterm\/(headless|addon-serialize)|\.\.\/telemetry\/sdk\.js)$/,
      },
      ({ path, kind }) => (kind === 'entry-point' ? undefined : { path: `./${fileOf(path)}.cjs`, external: true }),
    );
  },
};

/**
 * Bundles the server.
 * @param {string} outdir where to
 * @param {{ write?: boolean }} [options] `write: false` only finds out what would be in it
 * @returns {Promise<string[]>} folders of the packages in it
 */
export async function bundleServer(outdir, { write = true } = {}) {
  const lazyEntries = Object.entries(LAZY).map(([name, source]) => [fileOf(name), source]);
  const { metafile } = await build({
    entryPoints: { server: 'src/main.ts', ...WORKERS, ...Object.fromEntries(lazyEntries) },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    outdir,
    outExtension: { '.js': '.cjs' },
    write,
    metafile: true,
    logLevel: 'warning',
    legalComments: 'none',
    external: OUTSIDE,
    // Where the files of the build lie.
    define: { 'import.meta.dirname': '__dirname' },
    plugins: [lazyFiles],
    // What `ws` looks for to unmask faster: ours needs no compiler.
    alias: { bufferutil: './src/rpc/frame-mask.ts' },
    // Names stay: a stack trace is worth more than the rest of the bytes.
    minifyWhitespace: true,
    minifySyntax: true,
    charset: 'ascii',
    // Code out of a cache has no `import()` on Node 20; what it was for, loading late, `require` does as well.
    supported: { 'dynamic-import': false },
  });
  const folders = Object.keys(metafile.inputs).flatMap(
    (path) => /^node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(path) ?? [],
  );
  return [...new Set(folders)].sort();
}

/** Systems that this program runs on; the package has those of Windows, too, which are fifty times as large. */
const SYSTEMS = /^(linux|darwin)-/;

/** Native files of node-pty that go beside the bundle, each with its place there. Its loader looks for them in `prebuilds`. */
export function nativeFiles() {
  const prebuilds = 'node_modules/node-pty/prebuilds';
  return readdirSync(prebuilds)
    .filter((system) => SYSTEMS.test(system))
    .flatMap((system) => readdirSync(join(prebuilds, system)).map((name) => join(system, name)))
    .map((path) => ({ from: join(prebuilds, path), to: join('prebuilds', path) }));
}

/** The licences of bundled packages, which ask to go with every copy. Those with the same text stand above it together. @param {string[]} folders of the packages */
export function licencesOf(folders) {
  /** @type {Map<string, string[]>} */
  const packages = new Map();
  for (const folder of folders) {
    const { name, version, license } = manifestOf(folder);
    const file = readdirSync(folder).find((candidate) => /^(licen[cs]e|copying)/i.test(candidate));
    const text =
      file === undefined
        ? `License: ${license} (the package has no text of it)`
        : readFileSync(join(folder, file), 'utf8').trim();
    packages.set(text, [...(packages.get(text) ?? []), `${name} ${version}`]);
  }
  const parts = [...packages].map(([text, names]) => `${names.join('\n')}\n\n${text}\n`);
  return `The program holds parts of these packages.\n\n${parts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

/** @param {string} folder of a package @returns {{ name: string, version: string, license: string }} */
export function manifestOf(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}
