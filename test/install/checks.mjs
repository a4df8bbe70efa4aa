// Checks a project in which both packages are installed, with one version of Node at a time. Does not know how they were installed.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const projectRequire = createRequire(import.meta.url);
const TSC = projectRequire.resolve('typescript/bin/tsc');
const ESBUILD = projectRequire.resolve('esbuild');
/** Milliseconds for one program. */
const LIMIT_MS = 120_000;

/** What every program does with a client. */
const USE = `const box = await connect(process.env.URL, { name: 'install-test' });
const { stdout } = await box.exec(['echo', 'installed']);
if (stdout !== 'installed') throw new Error(stdout);
await box.close();`;

const PROGRAMS = {
  'the client as a module': ['esm.mjs', `import { connect } from 'execwire-client';\n${USE}`],
  'the client by require': [
    'cjs.cjs',
    `const { connect } = require('execwire-client');\n(async () => {\n${USE}\n})();`,
  ],
  'execwire/client as a module': ['own.mjs', `import { connect } from 'execwire/client';\n${USE}`],
  'execwire/client by require': [
    'own.cjs',
    `const { connect } = require('execwire/client');\n(async () => {\n${USE}\n})();`,
  ],
  'execwire/protocol and execwire/fastify, both ways': [
    'others.mjs',
    `import { createRequire } from 'node:module';
import { methods } from 'execwire/protocol';
import { execwirePlugin } from 'execwire/fastify';
const required = createRequire(import.meta.url)('execwire/fastify');
if (!('command/exec' in methods) || required.execwirePlugin !== execwirePlugin) throw new Error('methods are missing, or the two plugins differ');`,
  ],
};

/** Correct uses, which must compile. client/test-d checks that wrong ones do not. */
const TYPES = `import { connect, type Result, type Run } from 'execwire-client';
import { connect as own } from 'execwire/client';
const box = await connect('ws://127.0.0.1:1', { token: async () => 'x' });
const run: Run = box.exec(['true'], { signal: undefined });
export const result: Result = await run;
export const bytes: Uint8Array = (await (await own('ws://127.0.0.1:1')).exec(['true'], { encoding: 'bytes' })).stdout;
`;

const EMBEDDING = `import Fastify from 'fastify';
import { execwirePlugin, type ExecwirePluginOptions } from 'execwire/fastify';
const options: ExecwirePluginOptions = { authorize: ({ headers }) => headers.cookie === 'good', flags: [] };
await Fastify().register(execwirePlugin, { prefix: '/box', ...options });
`;

/** The script of a page. It prints a line at its end, because a page has no exit code. */
const PAGE = `import { connect } from 'execwire-client';
const box = await connect(globalThis.URL_OF_SERVER);
const { stdout } = await box.exec(['echo', 'from a bundle']);
await box.close();
console.log(stdout);
`;

/** Starts the installed server with one Node. @returns {Promise<{ url: string, stop(): Promise<number | null> }>} */
export async function startInstalled(project, node) {
  const script = join(project, 'node_modules/execwire/dist/execwire.cjs');
  const server = spawn(node, [script, 'serve', '--listen', 'ws://127.0.0.1:0'], {
    cwd: project,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = new Promise((resolve) => server.once('exit', resolve));
  const said = [];
  for await (const line of createInterface({ input: server.stderr })) {
    said.push(line);
    const url = /listening on: (\S+)/.exec(line)?.[1];
    if (url === undefined) continue;
    server.stderr.resume();
    return {
      url,
      stop() {
        server.kill('SIGTERM');
        return exited;
      },
    };
  }
  throw new Error(`the installed server ended without a banner:\n${said.join('\n')}`);
}

/** @returns {string[]} problems */
function problemsOf(command, args, { cwd, env = {}, prints }) {
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: LIMIT_MS,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  });
  if (error !== undefined) return [error.message];
  if (status !== 0) return [`ended with ${signal ?? status}`, ...`${stdout}\n${stderr}`.trim().split('\n')];
  return prints === undefined || stdout.trim() === prints ? [] : [`printed ${JSON.stringify(stdout)}`];
}

/**
 * All checks with one Node.
 * @param {string} project folder with the packages @param {string} node its program
 * @returns {Record<string, (url: string) => string[] | Promise<string[]>>} by title
 */
export function checksWith(project, node) {
  const run = (args, url, prints) => problemsOf(node, args, { cwd: project, env: { URL: url }, prints });
  const programs = Object.entries(PROGRAMS).map(([title, [file, code]]) => [
    title,
    (url) => {
      writeFileSync(join(project, file), code);
      return run([file], url);
    },
  ]);
  return {
    ...Object.fromEntries(programs),
    'a bundle of esbuild for browsers': (url) => {
      writeFileSync(join(project, 'page.mjs'), PAGE);
      const bundling = `require(${JSON.stringify(ESBUILD)}).buildSync({ entryPoints: ['page.mjs'], bundle: true, format: 'esm', platform: 'browser', outfile: 'bundled/page.mjs', logLevel: 'error' })`;
      const problems = run(['-e', bundling], url);
      return problems.length > 0 ? problems : runBundle(project, node, 'bundled/page.mjs', url);
    },
    ...(existsSync(join(project, 'node_modules/vite'))
      ? {
          'a bundle of vite for browsers': (url) => {
            mkdirSync(join(project, 'site'), { recursive: true });
            cpSync(join(project, 'page.mjs'), join(project, 'site/page.mjs'));
            writeFileSync(join(project, 'site/index.html'), '<script type="module" src="./page.mjs"></script>\n');
            // The script runs in Node, without a document, so it cannot hold the polyfill.
            const config = 'export default { build: { target: "esnext", modulePreload: { polyfill: false } } };\n';
            writeFileSync(join(project, 'site/vite.config.mjs'), config);
            const args = ['build', 'site', '--outDir', '../vite-out', '--emptyOutDir', '--logLevel', 'error'];
            const problems = run(['node_modules/vite/bin/vite.js', ...args], url);
            if (problems.length > 0) return problems;
            const html = readFileSync(join(project, 'vite-out/index.html'), 'utf8');
            const script = /src="\/(assets\/[^"]+)"/.exec(html)?.[1];
            cpSync(join(project, 'vite-out', script ?? ''), join(project, 'vite-out/page.mjs'));
            return runBundle(project, node, 'vite-out/page.mjs', url);
          },
        }
      : {}),
  };
}

/** Runs a bundle for browsers in Node, with the global `WebSocket` and without `ws`. */
function runBundle(project, node, file, url) {
  const code = readFileSync(join(project, file), 'utf8');
  if (/from\s*"ws"|require\("ws"\)/.test(code)) return ['the bundle imports `ws`'];
  writeFileSync(
    join(project, 'run-bundle.mjs'),
    `globalThis.URL_OF_SERVER = process.env.URL;\nawait import('./${file}');\n`,
  );
  // Only Node 20 needs the flag; later ones take it.
  const args = ['--experimental-websocket', '--no-warnings', 'run-bundle.mjs'];
  return problemsOf(node, args, { cwd: project, env: { URL: url }, prints: 'from a bundle' });
}

/** Compiles with the types of the packages alone, as Node and as bundlers resolve them; the plugin also with those of Fastify. @returns {string[]} problems */
export function typeProblems(project) {
  writeFileSync(join(project, 'types.mts'), TYPES);
  writeFileSync(join(project, 'embed.mts'), EMBEDDING);
  const common = ['--target', 'es2023', '--lib', 'es2023,esnext.disposable', '--strict', '--noEmit'];
  const compile = (file, ...more) => problemsOf(process.execPath, [TSC, ...common, ...more, file], { cwd: project });
  const asNode = ['--module', 'nodenext', '--moduleResolution', 'nodenext'];
  const asBundler = ['--module', 'esnext', '--moduleResolution', 'bundler'];
  return [
    ...compile('types.mts', ...asNode, '--skipLibCheck', 'false'),
    ...compile('types.mts', ...asBundler, '--skipLibCheck', 'false'),
    ...compile('embed.mts', ...asNode, '--types', 'node', '--skipLibCheck', 'true'),
  ];
}
