/**
 * `npm run test:install`: packs both packages and uses them in an empty project: after a real `npm install`, on Node 20, 22 and 24, and with vite. With
 * `--short` it uses this Node only and no network. The last line is the total. Knows no check.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checksWith, startInstalled, typeProblems } from './checks.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const isShort = process.argv.includes('--short');
/** Major versions of Node; each comes as a package. */
const NODES = [20, 22, 24];
const VITE = 'vite@7.3.8';
/** Milliseconds for npm. */
const NPM_LIMIT_MS = 300_000;
/** Characters of a line that are shown, because a whole bundle is one line. */
const SHOWN_CHARACTERS = 300;
/** Files that each package must have. */
const REQUIRED = ['package.json', 'README.md', 'LICENSE'];

let passed = 0;
let failed = 0;

function tell(title, problems) {
  if (problems.length === 0) passed += 1;
  else failed += 1;
  console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'}  ${title}`);
  for (const line of problems) console.log(`      ${line.slice(0, SHOWN_CHARACTERS)}`);
}

function npm(args, cwd) {
  const { status, stdout, stderr } = spawnSync('npm', [...args, '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd,
    encoding: 'utf8',
    timeout: NPM_LIMIT_MS,
  });
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed:\n${stderr}`);
  return stdout;
}

/** @returns {string[]} the tarballs of both packages */
function pack(folder) {
  if (!existsSync(join(ROOT, 'dist/execwire.cjs'))) throw new Error('run `npm run build` first');
  npm(['pack', '--silent', '--pack-destination', folder], ROOT);
  npm(['pack', '--silent', '--pack-destination', folder], join(ROOT, 'client'));
  return readdirSync(folder)
    .filter((name) => name.endsWith('.tgz'))
    .map((name) => join(folder, name));
}

/** Unpacks without npm, which would ask the registry for packages that are here already. */
function unpack(tarballs, project) {
  const modules = join(project, 'node_modules');
  mkdirSync(modules);
  for (const tarball of tarballs) {
    const folder = mkdtempSync(join(project, 'unpacked-'));
    spawnSync('tar', ['xzf', tarball, '-C', folder]);
    const { name } = JSON.parse(readFileSync(join(folder, 'package/package.json'), 'utf8'));
    cpSync(join(folder, 'package'), join(modules, name), { recursive: true });
    rmSync(folder, { recursive: true });
  }
  mkdirSync(join(modules, '@types'));
  for (const name of ['koffi', 'ws', 'zod', 'fastify', '@types/node']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
}

/** @returns {Array<{ name: string, program: string }>} */
function nodesIn(folder) {
  if (isShort) return [{ name: `Node ${process.versions.node}`, program: process.execPath }];
  return NODES.map((major) => {
    const home = join(folder, `node-${major}`);
    mkdirSync(home);
    const name = `node-${process.platform}-${process.arch}`;
    npm(['install', '--prefix', home, `${name}@${major}`], home);
    const program = join(home, 'node_modules', name, 'bin/node');
    const version = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout.trim();
    return { name: `Node ${version.slice(1)}`, program };
  });
}

const folder = mkdtempSync(join(tmpdir(), 'execwire-install-'));
try {
  const project = join(folder, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true }\n');
  const tarballs = pack(folder);
  if (isShort) unpack(tarballs, project);
  else npm(['install', ...tarballs, 'zod@4', 'fastify@5', '@types/node@20', VITE], project);
  for (const name of ['execwire', 'execwire-client']) {
    const missing = REQUIRED.filter((file) => !existsSync(join(project, 'node_modules', name, file)));
    tell(
      `${name} has its description, readme and licence`,
      missing.map((file) => `${file} is missing`),
    );
  }
  tell('types compile as Node and as bundlers resolve them', typeProblems(project));
  for (const { name, program } of nodesIn(folder)) {
    const server = await startInstalled(project, program);
    for (const [title, problemsWith] of Object.entries(checksWith(project, program))) {
      tell(`${name}: ${title}`, await problemsWith(server.url));
    }
    const code = await server.stop();
    tell(`${name}: the installed server serves and ends`, code === 0 ? [] : [`it ended with ${code}`]);
  }
} catch (error) {
  tell('the installation', [error instanceof Error ? (error.stack ?? error.message) : String(error)]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
