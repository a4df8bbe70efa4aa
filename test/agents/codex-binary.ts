// Finds the real `codex` program: the one that CODEX_BIN names, or one that npm installs into a folder outside of the repository. Runs it with every
// way out of the machine closed. Knows no server and no script.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const CODEX_VERSION = '0.169.0';
/** Milliseconds for npm, which loads a hundred megabytes. */
const INSTALL_LIMIT_MS = 600_000;
/** Milliseconds. A server that does not say its address by then counts as not started. */
const START_MS = 120_000;
const TRIPLES: Readonly<Record<string, string>> = {
  x64: 'x86_64-unknown-linux-musl',
  arm64: 'aarch64-unknown-linux-musl',
};

/** The program, or why there is none. */
export interface FoundCodex {
  readonly bin: string | undefined;
  readonly reason: string;
  remove(): void;
}

/** Installs the program without running anything of it. */
export function findCodex(): FoundCodex {
  const given = process.env.CODEX_BIN;
  if (given !== undefined) return { bin: given, reason: '', remove: () => {} };
  const none = (reason: string): FoundCodex => ({ bin: undefined, reason, remove: () => {} });
  const triple = TRIPLES[process.arch];
  if (process.platform !== 'linux' || triple === undefined)
    return none(`no program for ${process.platform} ${process.arch}`);
  const folder = mkdtempSync(join(tmpdir(), 'execwire-codex-'));
  const args = [
    'install',
    '--prefix',
    folder,
    `@openai/codex@${CODEX_VERSION}`,
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
  ];
  const { status, stderr } = spawnSync('npm', args, { encoding: 'utf8', timeout: INSTALL_LIMIT_MS, cwd: folder });
  const bin = join(folder, `node_modules/@openai/codex-linux-${process.arch}/vendor/${triple}/bin/codex`);
  if (status === 0 && existsSync(bin)) {
    return { bin, reason: '', remove: () => rmSync(folder, { recursive: true, force: true }) };
  }
  rmSync(folder, { recursive: true, force: true });
  return none(`npm cannot install @openai/codex@${CODEX_VERSION}: ${stderr.trim().split('\n').at(-1) ?? ''}`);
}

export interface HomeOptions {
  /** Of the scripted model. */
  readonly baseUrl: string;
  /** A model of which the program knows the tools. */
  readonly model: string;
  /** Content of environments.toml. Default: none. */
  readonly environments?: string;
  /** Default: no sandbox. */
  readonly sandboxMode?: SandboxMode;
}

/** What the agent asks of its server for each command and file. */
export type SandboxMode = 'danger-full-access' | 'workspace-write' | 'read-only';

/** A home of its own for one run, with a folder for temporary files beside it: the program wants the one not below the other. */
export class CodexHome {
  readonly root = mkdtempSync(join(tmpdir(), 'execwire-agent-'));
  readonly home = join(this.root, 'home');
  readonly tmp = join(this.root, 'tmp');

  constructor({ baseUrl, model, environments, sandboxMode = 'danger-full-access' }: HomeOptions) {
    mkdirSync(this.home);
    mkdirSync(this.tmp);
    const off = ['plugins', 'remote_plugin', 'apps'].map((name) => `${name} = false`);
    const config = [
      `model = "${model}"`,
      'model_provider = "scripted"',
      'approval_policy = "never"',
      `sandbox_mode = "${sandboxMode}"`,
      'check_for_update_on_startup = false',
      '[analytics]',
      'enabled = false',
      '[features]',
      ...off,
      '[model_providers.scripted]',
      'name = "scripted"',
      `base_url = "${baseUrl}"`,
      'wire_api = "responses"',
      'request_max_retries = 0',
      'stream_max_retries = 0',
    ];
    writeFileSync(join(this.home, 'config.toml'), `${config.join('\n')}\n`);
    if (environments !== undefined) writeFileSync(join(this.home, 'environments.toml'), environments);
  }

  /** @param proxy an HTTP proxy that refuses everything */
  environment(proxy: string): NodeJS.ProcessEnv {
    const env: NodeJS.ProcessEnv = { ...process.env, CODEX_HOME: this.home, HOME: this.root, TMPDIR: this.tmp };
    for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY']) env[name] = proxy;
    env.NO_PROXY = '127.0.0.1,localhost,::1';
    for (const name of ['OPENAI_API_KEY', 'CODEX_API_KEY', 'CODEX_ACCESS_TOKEN', 'NODE_OPTIONS']) delete env[name];
    return env;
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** How a program ended, and what it said. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. @param limitMs after which it is killed */
export async function runToEnd(
  bin: string,
  args: readonly string[],
  { env, cwd, limitMs }: { readonly env: NodeJS.ProcessEnv; readonly cwd: string; readonly limitMs: number },
): Promise<Ran> {
  const child = spawn(bin, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const limit = setTimeout(() => killGroup(child), limitMs);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(limit);
  return { code, stdout, stderr };
}

/** Kills a program that has a group of its own: CODEX_BIN may name a launcher, which would leave the program that it started. */
function killGroup(child: ChildProcess): void {
  if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
}

/** One of the program's own servers. */
export class RealServer {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  /** @param args such as `['exec-server']` */
  static async start(
    bin: string,
    args: readonly string[],
    { env, cwd }: { readonly env: NodeJS.ProcessEnv; readonly cwd: string },
  ): Promise<RealServer> {
    const child = spawn(bin, [...args, '--listen', 'ws://127.0.0.1:0'], {
      env,
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const url = await new Promise<string>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          const [found] = /ws:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
          if (found !== undefined) resolve(found);
        });
      }
      child.once('exit', (code) => reject(new Error(`${args.join(' ')} ended with ${code} before it listened`)));
      const limit = setTimeout(() => killGroup(child), START_MS);
      child.once('exit', () => clearTimeout(limit));
      for (const stream of [child.stdout, child.stderr]) stream.once('data', () => clearTimeout(limit));
    });
    return new RealServer(url, child);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    killGroup(this.#child);
    await once(this.#child, 'exit');
  }
}
