/**
 * Runs the built command line as it is installed, since Node takes flags such as `--env-file` for its own elsewhere: through pipes, or in a real terminal. The terminal is one of a test server, whose client sees every byte of it. Knows
 * no command.
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';
import { type Box, connect, type Terminal, type TerminalOptions } from '../../client/src/node.js';
import { startServer, type TestServer, type TestServerOptions } from '../support/server.js';
import { SERVER } from '../support/server-process.js';

/** What a command line left behind. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run one. */
export interface CliOptions {
  /** What it reads; its input ends behind it. Default: nothing. */
  readonly input?: string;
  /** Variables beside the inherited ones. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it reads /dev/null, as what is started by hand in the background does. Default: a pipe. */
  readonly hasNoInput?: boolean;
  /** Descriptor that is its standard input. Default: a pipe. */
  readonly stdinFd?: number;
  /** Descriptor that is its standard output. Default: a pipe that is read. */
  readonly stdoutFd?: number;
}

/** Without what tap puts into the environment of every child: its hooks slow each start. */
function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(NODE_OPTIONS|_?TAP(JS)?(_.*)?|EXECWIRE_.*)$/.test(name),
  );
  return { ...Object.fromEntries(own), ...more };
}

/** A command line that runs, through pipes. */
export class CliProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  #onOutput: () => void = () => {};

  constructor(args: readonly string[], { env = {}, hasNoInput = false, stdinFd, stdoutFd }: CliOptions = {}) {
    const stdio: StdioOptions = [stdinFd ?? (hasNoInput ? 'ignore' : 'pipe'), stdoutFd ?? 'pipe', 'pipe'];
    this.child = spawn(SERVER, [...args], { stdio, env: environment(env) });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#onOutput();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#onOutput();
    });
    this.child.stdin?.on('error', () => {});
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      this.#onOutput();
      return { code, signal, stdout: this.stdout, stderr: this.stderr };
    });
  }

  /** Resolves when a text has come on one of the streams. @throws {Error} when it ends first */
  async untilSaid(pattern: RegExp, stream: 'stdout' | 'stderr' = 'stdout'): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this[stream]);
      if (found !== null) return found;
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        await this.ended;
        const last = pattern.exec(this[stream]);
        if (last !== null) return last;
        throw new Error(`it ended with ${this.child.exitCode} before ${pattern}: ${this.stdout}${this.stderr}`);
      }
      await new Promise<void>((resolve) => {
        this.#onOutput = resolve;
      });
    }
  }
}

/** A server, and command lines that talk to it. */
export class CliSetup {
  readonly server: TestServer;
  /** On the same server: its terminals are the local ones of command lines. */
  readonly box: Box;

  constructor(server: TestServer, box: Box) {
    this.server = server;
    this.box = box;
  }

  get url(): string {
    return this.server.url;
  }

  /** Starts one through pipes. */
  start(args: readonly string[], options: CliOptions = {}): CliProcess {
    return new CliProcess(args, { ...options, env: { EXECWIRE_URL: this.url, ...options.env } });
  }

  /** Runs one through pipes to its end. */
  async run(args: readonly string[], options: CliOptions = {}): Promise<Ended> {
    const started = this.start(args, options);
    started.child.stdin?.end(options.input);
    return started.ended;
  }

  /** Starts one in a terminal. */
  inTerminal(args: readonly string[], options: TerminalOptions = {}): Terminal {
    return this.program([SERVER, ...args], options);
  }

  /** Starts a program in a terminal that finds the command line as `$CLI`. */
  program(command: readonly string[], options: TerminalOptions = {}): Terminal {
    const env = {
      EXECWIRE_URL: this.url,
      CLI: SERVER,
      TERM: 'xterm-256color',
      ...options.env,
    };
    return this.box.terminal(command, { detachable: false, ...options, env });
  }
}

/** Starts a server for command lines. */
export async function cliSetup(t: Test, options: TestServerOptions = {}): Promise<CliSetup> {
  const server = await startServer(t, options);
  const box = await connect(server.url, { name: 'test' });
  // BEFORE the server is ended, which must be left alone by then.
  t.teardown(() => box.close());
  return new CliSetup(server, box);
}

/** Everything that a terminal shows until its program ends, and the exit code. */
export async function endOf(terminal: Terminal): Promise<{ text: string; code: number | undefined }> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const bytes of terminal.output) text += decoder.decode(bytes, { stream: true });
  return { text, code: (await terminal.result).exitCode };
}
