// Installs the reference server from npm into the user's cache folder, outside the repository, and runs the benchmark with it as the
// peer. Further arguments go to the benchmark: npm run bench:peers -- --quick

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { main } from './run.mjs';

const PACKAGE = '@openai/codex';
/** The version that the protocol page was compared with; another one: BENCH_CODEX_VERSION=latest. */
const VERSION = process.env.BENCH_CODEX_VERSION ?? '0.169.0';
const FOLDER = path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'execwire-bench', VERSION);

/** @returns {{ name: string, command: string }} */
function installReference() {
  const manifest = path.join(FOLDER, 'node_modules', PACKAGE, 'package.json');
  if (!existsSync(manifest)) {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(path.join(FOLDER, 'package.json'), '{"private":true}\n');
    process.stderr.write(`installing ${PACKAGE}@${VERSION} into ${FOLDER}\n`);
    const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', `${PACKAGE}@${VERSION}`];
    execFileSync('npm', args, { cwd: FOLDER, stdio: ['ignore', 'inherit', 'inherit'] });
  }
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  // Its own home, made before: it keeps state there, and must not touch the user's.
  const home = path.join(FOLDER, 'home');
  mkdirSync(home, { recursive: true });
  const command = `CODEX_HOME='${home}' '${nativeBinary(manifest)}' app-server --listen ws://127.0.0.1:{port}`;
  return { name: `codex ${version}`, command };
}

/** The program itself: the package's command is a Node script around it, which would add its start to every figure. @param {string} manifest */
function nativeBinary(manifest) {
  const platform = createRequire(manifest).resolve(`${PACKAGE}-linux-${os.arch()}/package.json`);
  const vendor = path.join(path.dirname(platform), 'vendor');
  for (const target of readdirSync(vendor)) {
    const program = path.join(vendor, target, 'bin', 'codex');
    if (existsSync(program)) return program;
  }
  throw new Error(`no codex binary in ${vendor}`);
}

try {
  const { name, command } = installReference();
  const rest = process.argv.slice(2);
  const partial = rest.some((arg) => ['--quick', '--only', '--no-us', '--help'].includes(arg.split('=', 1)[0]));
  await main(['--peer', `${name}=${command}`, ...(partial ? [] : ['--page']), ...rest]);
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(2);
}
