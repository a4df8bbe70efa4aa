/**
 * What one case of the browser test has: pages in contexts of its own, servers of its own, and things to undo. At its end the pages must have done nothing
 * wrong. Knows no feature of the page.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { ServerProcess } from '../support/server-process.js';
import { PageFaults } from './page-faults.js';
import { TerminalPage } from './terminal-page.js';
import type { PageServerOptions, Workplace } from './workplace.js';

/** The body of a case. */
export type BrowserTestBody = (t: BrowserTest) => Promise<void>;

/** A case. */
export interface BrowserCase {
  readonly title: string;
  readonly body: BrowserTestBody;
  /** Whether it runs beside all others, because it mostly waits. */
  readonly runsBeside: boolean;
}

/** All cases, in the order in which their files are loaded. */
export const cases: BrowserCase[] = [];

/** Adds a case. */
export function browserTest(title: string, body: BrowserTestBody): void {
  cases.push({ title, body, runsBeside: false });
}

/** Adds a case that starts first and ends last, beside all others. */
export function longBrowserTest(title: string, body: BrowserTestBody): void {
  cases.push({ title, body, runsBeside: true });
}

/** Thrown by a case that cannot run here. */
export class Skipped extends Error {}

/** How to open a page. */
export interface OpenOptions extends BrowserContextOptions {
  /** Where. Default: the shared server. */
  readonly server?: ServerProcess;
  /** Address up to `/terminal`, where it is not the server's own. */
  readonly base?: string;
  /** Default: the browser of all cases, which has no WebGL. */
  readonly browser?: Browser;
  /** Whether the token is in the address, so that the user need not sign in. Default: true. */
  readonly hasToken?: boolean;
  /** Whether to wait until a shell shows its prompt. Default: true. */
  readonly awaitsShell?: boolean;
  /** Script that runs before those of the page. */
  readonly before?: () => void;
}

/** What a case may use. */
export class BrowserTest {
  readonly workplace: Workplace;
  readonly faults = new PageFaults();
  readonly #pages: TerminalPage[] = [];
  readonly #undo: (() => Promise<unknown> | unknown)[] = [];

  constructor(workplace: Workplace) {
    this.workplace = workplace;
  }

  /** The server that most cases share. Its commands are killed after each case. */
  get server(): ServerProcess {
    return this.workplace.server;
  }

  /** Undoes something at the end of the case, the latest first. */
  after(undo: () => Promise<unknown> | unknown): void {
    this.#undo.push(undo);
  }

  /** Ends the case without a result. */
  skip(reason: string): never {
    throw new Skipped(reason);
  }

  /** An empty folder. */
  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'execwire-browser-'));
    this.after(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }

  /** Starts another server with the page and the same token. */
  async startServer(options: PageServerOptions = {}): Promise<ServerProcess> {
    const server = await ServerProcess.start(this.workplace.serverOptions(options));
    this.after(async () => {
      if (server.exit !== undefined) return;
      await this.workplace.killCommands(server);
      await server.stop();
    });
    return server;
  }

  /** Opens a page in a fresh context. */
  async open(options: OpenOptions = {}): Promise<TerminalPage> {
    const { server, base, browser, hasToken, awaitsShell = true, before, ...contextOptions } = options;
    const context = await (browser ?? this.workplace.browser).newContext(contextOptions);
    this.after(() => context.close());
    await this.faults.watch(context);
    // The loader of these files marks the names of functions, also of those that run in the page.
    await context.addInitScript(() => Reflect.set(globalThis, '__name', (named: unknown) => named));
    if (hasToken === false) this.faults.expect(/HTTP Authentication failed/);
    if (before !== undefined) await context.addInitScript(before);
    const terminal = new TerminalPage(await context.newPage());
    this.#pages.push(terminal);
    await terminal.goto(base ?? (server ?? this.server).httpUrl, hasToken === false ? undefined : this.workplace.token);
    if (awaitsShell && hasToken !== false) await terminal.untilPrompt();
    return terminal;
  }

  /** What is on its pages, for a failure that has to be understood. */
  async shown(): Promise<readonly string[]> {
    return Promise.all(
      this.#pages.map(async ({ page }, index) => {
        // biome-ignore lint/performance/useDomNodeTextContent: only what is visible
        const text = await page.evaluate(() => document.body.innerText).catch(String);
        return `page ${index + 1} shows:\n${text.replace(/\s*\n\s*/g, '\n')}`;
      }),
    );
  }

  /** Undoes everything. @returns what the pages did wrong */
  async end(): Promise<readonly string[]> {
    const problems: string[] = [];
    for (const undo of this.#undo.reverse()) {
      try {
        await undo();
      } catch (error) {
        problems.push(`at its end: ${error instanceof Error ? error.message : error}`);
      }
    }
    return [...this.faults.list, ...problems];
  }
}
