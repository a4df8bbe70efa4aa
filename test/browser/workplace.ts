/** What all cases of the browser test share: a browser, a server with the page, and the home of its shells. Knows no case. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { connect } from '../../client/src/node.js';
import { type ServerOptions, ServerProcess } from '../support/server-process.js';
import { until } from '../support/until.js';
import { startChromium } from './chromium.js';

const TOKEN = 'a-token-of-the-browser-test';
/** The prompt of every shell, which nothing else writes. */
export const PROMPT = 'box> ';
/** Short enough that a case in which a server ends does not wait for its commands. */
const DRAIN_FLAGS = ['--drain-delay', '0s', '--drain-timeout', '2s'];

/** How to start a server with the page. */
export interface PageServerOptions extends ServerOptions {
  /** Whether it has no door for files. Default: false. */
  readonly withoutFiles?: boolean;
}

/** A browser, a server and a folder. */
export class Workplace {
  readonly token = TOKEN;
  readonly browser: Browser;
  readonly server: ServerProcess;
  /** The home of the shells, and where they start. */
  readonly home: string;
  readonly #folder: string;

  private constructor(browser: Browser, server: ServerProcess, folder: string) {
    this.browser = browser;
    this.server = server;
    this.#folder = folder;
    this.home = join(folder, 'home');
  }

  static async open(): Promise<Workplace> {
    const folder = mkdtempSync(join(tmpdir(), 'execwire-browser-'));
    mkdirSync(join(folder, 'home'));
    writeFileSync(join(folder, 'token'), TOKEN, { mode: 0o600 });
    // The files of the machine's own shells come first, and may set a prompt of theirs.
    for (const name of ['.bashrc', '.bash_profile']) {
      writeFileSync(
        join(folder, 'home', name),
        `PS1='${PROMPT}'; PROMPT_COMMAND=; unset HISTFILE; bind 'set bell-style none'\n`,
      );
    }
    const server = await ServerProcess.start(serverOptions(folder, {}));
    try {
      return new Workplace(await startChromium(), server, folder);
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** How to start another server of this kind. */
  serverOptions(options: PageServerOptions): ServerOptions {
    return serverOptions(this.#folder, options);
  }

  /** Kills all commands of a server and has them forgotten. */
  async killCommands(server: ServerProcess = this.server): Promise<void> {
    const box = await connect(server.url, { name: 'browser-test', token: TOKEN });
    try {
      const keys = (await box.list()).flatMap(({ key }) => key ?? []);
      const running = async (): Promise<string[]> =>
        (await box.list()).flatMap(({ key, state }) =>
          key != null && keys.includes(key) && state !== 'ended' ? key : [],
        );
      for (const key of await running()) await box.kill(key, 'SIGKILL');
      await until('the commands have ended', async () => (await running()).length === 0);
      // A page may have forgotten it meanwhile.
      for (const key of keys) await box.forget(key).catch(() => {});
    } finally {
      await box.close();
    }
  }

  /** Bytes that the commands of a server have written. */
  async bytesOut(server: ServerProcess): Promise<number> {
    const box = await connect(server.url, { name: 'browser-test', token: TOKEN });
    try {
      const commands = await box.list({ details: true });
      return commands.reduce((sum, { bytesOut }) => sum + (bytesOut ?? 0), 0);
    } finally {
      await box.close();
    }
  }

  /** Ends everything. @returns what the server did wrong */
  async close(): Promise<readonly string[]> {
    await this.browser.close();
    await this.killCommands();
    const { code, signal } = await this.server.stop();
    await this.server.untilNothingIsLeft();
    rmSync(this.#folder, { recursive: true, force: true });
    return [...(code === 0 ? [] : [`the server ended with ${signal ?? code}`]), ...this.server.errors()];
  }
}

function serverOptions(folder: string, options: PageServerOptions): ServerOptions {
  const { flags = [], env = {}, withoutFiles = false, ...rest } = options;
  const home = join(folder, 'home');
  const credential = ['--ws-auth', 'capability-token', '--ws-token-file', join(folder, 'token')];
  return {
    cwd: home,
    ...rest,
    flags: ['--ui', ...(withoutFiles ? [] : ['--files']), ...credential, ...DRAIN_FLAGS, ...flags],
    env: { HOME: home, SHELL: '/bin/bash', LANG: 'C.UTF-8', TERM: 'xterm-256color', ...env },
  };
}
