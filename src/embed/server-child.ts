/**
 * The execwire server as a child process with a socket of its own, for a program that embeds it. Starts it, starts it again after a crash when the next
 * client comes, and drains it at the end. Knows no web framework.
 *
 * The server runs in a process of its own, because it changes its process in ways that the embedding program would notice: it adopts and kills orphans,
 * raises and lowers limits, and hides its environment from its commands.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The last line of the banner: the server listens. */
const BANNER_END = /^ *healthz: /;
/** Lines of standard error that tell why a start failed. */
const SHOWN_LINES = 20;

export interface ServerChildOptions {
  /** The launcher. */
  readonly script: string;
  /** Loaded before it: ends the server with this process. */
  readonly preload: string;
  /** Flags of `execwire serve` but `--listen`. */
  readonly flags: readonly string[];
  /** Takes the lines of the server's log. */
  readonly onLogLine: (line: string) => void;
  /** Called when the server ends without {@link ServerChild.stop}. */
  readonly onCrash: (how: string) => void;
}

interface Running {
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
}

/** One server. If its process crashes, the next client gets a new one. */
export class ServerChild {
  readonly #options: ServerChildOptions;
  #folder: string | undefined;
  #starting: Promise<Running> | undefined;
  #isStopping = false;

  constructor(options: ServerChildOptions) {
    this.#options = options;
  }

  /** Whether {@link ServerChild.stop} was called. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** The socket of the running server; starts one if none runs. @throws {Error} with the server's output, when it does not start */
  async socketPath(): Promise<string> {
    if (this.#isStopping && this.#starting === undefined) throw new Error('execwire is stopped');
    // A folder that only this user may enter, because every process that reaches the socket may run commands.
    this.#folder ??= await mkdtemp(join(tmpdir(), 'execwire-'));
    const path = join(this.#folder, 'socket');
    this.#starting ??= this.#start(path);
    await this.#starting;
    return path;
  }

  /** Drains the server and waits for its end. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const running = await this.#starting?.catch(() => undefined);
    running?.child.kill('SIGTERM');
    await running?.exited;
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }

  async #start(path: string): Promise<Running> {
    const { script, preload, flags, onLogLine, onCrash } = this.#options;
    // A flag without its value must not take `--listen` for it, so the flags of the program come last. They hold no other `--listen`.
    const args = ['--require', preload, script, 'serve', '--listen', `unix://${path}`, ...flags];
    // Its input stays open for as long as this process lives.
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    child.stdin?.on('error', () => {});
    const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const said: string[] = [];
    try {
      await new Promise<void>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', (code, signal) => {
          reject(new Error(`execwire ended with ${signal ?? code} before it listened:\n${said.join('\n')}`));
        });
        let isListening = false;
        createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
          if (isListening) onLogLine(line);
          else said.splice(0, Math.max(0, said.push(line) - SHOWN_LINES));
          if (!BANNER_END.test(line)) return;
          isListening = true;
          resolve();
        });
      });
    } catch (error) {
      this.#starting = undefined;
      throw error;
    }
    child.once('exit', (code, signal) => {
      this.#starting = undefined;
      if (!this.#isStopping) onCrash(signal ?? String(code));
    });
    return { child, exited };
  }
}
