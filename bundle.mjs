/**
 * What the server's program is bundled from. `build.mjs` writes the bundle; `deploy/sbom.mjs` and the licences list its content. Knows nothing of the
 * client. koffi stays outside, because npm picks its binary for the machine; node-pty's few binaries are copied beside the bundle.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

/**
 * Files of their own that are loaded only when needed, because each would slow every start. By the imported name, and the file that is bundled for
 * it.
 */
const LAZY = {
  jose: 'jose',
  'prom-client': 'prom-client',
  '@opentelemetry/api': '@opentelemetry/api',
  '@xterm/headless': '@xterm/headless',
  '../telemetry/sdk.js': './src/telemetry/sdk.ts',
  './client-commands.js': './src/cli/client-commands.ts',
  './local-tree.js': './src/cli/local-tree.ts',
  './doctor.js': './src/cli/doctor.ts',
  './mcp.js': './src/cli/mcp.ts',
};
/** Scripts of threads, which are loaded by their names. */
const WORKERS = { 'sandbox-worker': 'src/process/sandbox/sandbox-worker.ts' };
/** Resolved from node_modules, if installed. */
const OUTSIDE = ['koffi', 'pino-pretty'];

/** @param {string} name of the imported module */
function fileOf(name) {
  if (name.startsWith('..')) return 'telemetry-sdk';
  if (name.startsWith('./')) return name.slice('./'.length, -'.js'.length);
  // `@opentelemetry/api` is `opentelemetry-api.cjs`.
  return name.replace('@', '').replace('/', '-');
}

/** Makes lazy modules be required from beside the bundle. */
const lazyFiles = {
  name: 'lazy files',
  setup({ onResolve }) {
    onResolve(
      {
        filter:
          /^(jose|prom-client|@opentelemetry\/api|@xterm\/headless|\.\.\/telemetry\/sdk\.js|\.\/(client-commands|local-tree|doctor|mcp)\.js)$/,
      },
      ({ path, kind }) => (kind === 'entry-point' ? undefined : { path: `./${fileOf(path)}.cjs`, external: true }),
    );
  },
};

/** Gives `ws` a stand-in for two modules of Node that are slow to load and that it uses for `wss://` only. */
const lateTls = {
  name: 'late TLS',
  setup({ onResolve }) {
    onResolve({ filter: /^(https|tls)$/ }, ({ importer }) =>
      /node_modules\/ws\/lib\//.test(importer) ? { path: resolve('src/cli/late-tls.ts') } : undefined,
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
    // The folder of the built files.
    define: { 'import.meta.dirname': '__dirname' },
    plugins: [lazyFiles, lateTls],
    // `ws` looks for this package to unmask faster; the replacement needs no compiler.
    alias: { bufferutil: './src/rpc/frame-mask.ts' },
    // Names are kept, because a readable stack trace is worth more than the bytes.
    minifyWhitespace: true,
    minifySyntax: true,
    charset: 'ascii',
    // Code from a cache has no `import()` on Node 20. `require` loads late just as well.
    supported: { 'dynamic-import': false },
  });
  const folders = Object.keys(metafile.inputs).flatMap(
    (path) => /^node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(path) ?? [],
  );
  return [...new Set(folders)].sort();
}

/** Systems that this program runs on. The package also has binaries for Windows, which are fifty times as large. */
const SYSTEMS = /^(linux|darwin)-/;

/** Native files of node-pty that go beside the bundle, each with its place there. Its loader looks for them in `prebuilds`. */
export function nativeFiles() {
  const prebuilds = 'node_modules/node-pty/prebuilds';
  return readdirSync(prebuilds)
    .filter((system) => SYSTEMS.test(system))
    .flatMap((system) => readdirSync(join(prebuilds, system)).map((name) => join(system, name)))
    .map((path) => ({ from: join(prebuilds, path), to: join('prebuilds', path) }));
}

/**
 * The licences of bundled packages, which must be part of every copy. Packages with the same text are listed together.
 * @param {string[]} folders of the packages
 */
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
