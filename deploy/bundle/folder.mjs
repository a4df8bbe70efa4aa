// Owns the content of the runtime folder: what goes where, with which mode, and the list of what it was made from. Knows nothing of archives.
import { chmodSync, copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { debianFile, fetchNode, librariesOf, sha256Of } from './inputs.mjs';
import { compileLauncher, launcherCompiler } from './launcher.mjs';
import { outputOf, requireProgram } from './programs.mjs';

const PROJECT = resolve(import.meta.dirname, '../..');
const DIST = join(PROJECT, 'dist');
/** Parts of `dist` that only programs import. V8's code cache differs from build to build, and each machine can do without it. */
const NOT_RUN = new Set([
  'types',
  'client',
  'protocol.js',
  'fastify.cjs',
  'ends-with-parent.cjs',
  'cache',
  'prebuilds',
]);

/**
 * Makes the folder anew.
 * @param {string} folder its path; nothing else in it stays
 * @param {{ platform: import('./platform.mjs').Platform, workFolder: string }} options
 * @returns {object} what it was made from; also in the folder, as `manifest.json`
 */
export function makeFolder(folder, { platform, workFolder }) {
  rmSync(folder, { recursive: true, force: true });
  for (const name of ['bin', 'lib', 'app/dist', 'licenses']) mkdirSync(join(folder, name), { recursive: true });
  const application = addApplication(folder, platform);
  const node = addNode(folder, platform, workFolder);
  const natives = [join(node.folder, 'bin/node'), ...application.natives];
  const compiler = launcherCompiler();
  compileLauncher(compiler, { loader: platform.loader, to: join(folder, 'bin/execwire') });
  const debian = [
    ...librariesOf(natives, platform).map((name) =>
      addDebianFile(join(platform.libraries, name), folder, `lib/${name}`),
    ),
    addDebianFile('/usr/bin/tini-static', folder, 'bin/tini'),
    // A part of the launcher.
    ...(compiler === 'musl-gcc' ? [addDebianFile(platform.musl, folder, undefined)] : []),
  ];
  const manifest = {
    name: 'execwire',
    version: application.version,
    platform: platform.name,
    inputs: [node.input, ...application.inputs, ...debian].sort((a, b) => (a.file < b.file ? -1 : 1)),
    tools: toolsOf(compiler),
  };
  writeFileSync(join(folder, 'manifest.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  setModes(folder);
  return manifest;
}

function addNode(folder, platform, workFolder) {
  requireProgram('strip', 'binutils');
  const node = fetchNode(platform, join(workFolder, 'node'));
  // Symbols for debuggers are a seventh of it.
  outputOf('strip', ['--strip-all', '-o', join(folder, 'bin/node'), join(node.folder, 'bin/node')]);
  copyLicense(node.folder, folder, 'node');
  return node;
}

/** What runs of `dist`, and koffi, the one package that is not part of it. */
function addApplication(folder, { name }) {
  const { version, license } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'));
  const app = join(folder, 'app');
  for (const entry of readdirSync(DIST)) {
    if (!NOT_RUN.has(entry)) cpSync(join(DIST, entry), join(app, 'dist', entry), { recursive: true });
  }
  writeFileSync(join(app, 'package.json'), `${JSON.stringify({ name: 'execwire', version, license }, undefined, 2)}\n`);
  copyFileSync(join(PROJECT, 'LICENSE'), join(folder, 'licenses/execwire'));
  const [pty, koffi] = [`prebuilds/${name}/pty.node`, `${name.replace('-', '_')}/koffi.node`];
  copyInto(join(app, 'dist'), DIST, pty);
  const modules = { koffi: cjsFilesOf('koffi'), [`@koromix/koffi-${name}`]: ['package.json', 'index.js', koffi] };
  for (const [module, files] of Object.entries(modules)) {
    for (const file of files) copyInto(join(app, 'node_modules', module), moduleFolder(module), file);
  }
  copyLicense(moduleFolder('koffi'), folder, 'koffi');
  const native = join(moduleFolder(`@koromix/koffi-${name}`), koffi);
  return {
    version,
    natives: [join(DIST, pty), native],
    inputs: [
      inputOfModule('node-pty', join(DIST, pty), pty),
      inputOfModule(`@koromix/koffi-${name}`, native, koffi),
      { name: 'execwire', version, file: 'dist/server.cjs', sha256: sha256Of(join(DIST, 'server.cjs')) },
    ],
  };
}

function moduleFolder(module) {
  return join(PROJECT, 'node_modules', module);
}

/** The files that `require` reaches. The rest are sources, pages, and the same as modules. */
function cjsFilesOf(module) {
  const all = readdirSync(moduleFolder(module), { recursive: true, encoding: 'utf8' });
  return ['package.json', ...all.filter((file) => file.endsWith('.cjs') && !/^(vendor|doc)\/|cnoke/.test(file)).sort()];
}

function inputOfModule(module, path, file) {
  const { version } = JSON.parse(readFileSync(join(moduleFolder(module), 'package.json'), 'utf8'));
  return { name: module, version, file, sha256: sha256Of(path) };
}

function copyInto(to, from, file) {
  mkdirSync(dirname(join(to, file)), { recursive: true });
  copyFileSync(join(from, file), join(to, file));
}

function copyLicense(from, folder, name) {
  const file = readdirSync(from).find((candidate) => /^licen[cs]e/i.test(candidate));
  if (file === undefined) throw new Error(`${name} has no license file`);
  copyFileSync(join(from, file), join(folder, 'licenses', name));
}

/** @param {string | undefined} to its place in the folder; undefined where it is a part of another file */
function addDebianFile(from, folder, to) {
  const { path, copyright, ...input } = debianFile(from);
  if (to !== undefined) copyFileSync(path, join(folder, to));
  copyFileSync(copyright, join(folder, 'licenses', input.name));
  return input;
}

function toolsOf(compiler) {
  const firstLine = (program) => outputOf(program, ['--version']).split('\n')[0];
  return [compiler, 'strip'].map((name) => ({ name, version: firstLine(name) }));
}

/** The same modes on every machine, whatever its umask. */
function setModes(folder) {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const runs = entry.isDirectory() || dirname(path) === join(folder, 'bin') || /^ld-linux/.test(entry.name);
    chmodSync(path, runs || entry.name === 'execwire.cjs' ? 0o755 : 0o644);
  }
}
