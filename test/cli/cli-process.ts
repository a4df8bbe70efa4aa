/**
 * Runs the built `execwire` program through pipes or in a real terminal. The test server opens that terminal, and a client of the server reads every
 * byte of it. Starts the launcher as users do, because `node FILE` would take flags such as `--env-file` for its own. Knows nothing of the commands
 * of the program.
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import type { Test } from 'tap';
import { type Box, connect, type Terminal, type TerminalOptions } from '../../client/src/node.js';
import { startServer, type TestServer, type TestServerOptions } from '../support/server.js';
import { SERVER } from '../support/server-process.js';

/** Milliseconds that a terminal may take to show something on a very busy machine. The client's own default is 30,000. */
const PATIENCE_MS = 120_000;
/** Milliseconds after which a line is typed again, because a shell that is starting may lose it. */
const ANSWER_MS = 1_000;

/** How a run of the program ended, and what it printed. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run the program. */
export interface CliOptions {
  /** Everything that the program reads from standard input. Default: nothing. */
  readonly input?: string;
  /** Variables beside the inherited ones. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether standard input is /dev/null. Default: a pipe. */
  readonly hasNoInput?: boolean;
  /** Descriptor that is standard input. Default: a pipe. */
  readonly stdinFd?: number;
  /** Descriptor that is standard output. Default: a pipe that this class reads. */
  readonly stdoutFd?: number;
}

/** The environment of this process without the variables of tap, whose hooks slow each start, and without those of execwire. */
function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(NODE_OPTIONS|_?TAP(JS)?(_.*)?|EXECWIRE_.*)$/.test(name),
  );
  return { ...Object.fromEntries(own), ...more };
}

/** The program, running through pipes. */
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

  /** Resolves when a stream has a text that matches. @throws {Error} when the program ends first */
  async untilSaid(pattern: RegExp, stream: 'stdout' | 'stderr' = 'stdout'): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this[stream]);
      if (found !== null) return found;
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        await this.ended;
        const last = pattern.exec(this[stream]);
        if (last !== null) return last;
        throw new Error(`execwire ended with ${this.child.exitCode} before ${pattern}: ${this.stdout}${this.stderr}`);
      }
      await new Promise<void>((resolve) => {
        this.#onOutput = resolve;
      });
    }
  }
}

/** A server, and runs of the program that talk to it. */
export class CliSetup {
  readonly server: TestServer;
  /** A client of the same server. Its terminals are the ones in which the program runs. */
  readonly box: Box;

  constructor(server: TestServer, box: Box) {
    this.server = server;
    this.box = box;
  }

  get url(): string {
    return this.server.url;
  }

  /** Starts the program through pipes. */
  start(args: readonly string[], options: CliOptions = {}): CliProcess {
    return new CliProcess(args, { ...options, env: { EXECWIRE_URL: this.url, ...options.env } });
  }

  /** Runs the program through pipes to its end. */
  async run(args: readonly string[], options: CliOptions = {}): Promise<Ended> {
    const started = this.start(args, options);
    started.child.stdin?.end(options.input);
    return started.ended;
  }

  /** Starts the program in a terminal. */
  inTerminal(args: readonly string[], options: TerminalOptions = {}): Terminal {
    return this.program([SERVER, ...args], options);
  }

  /** Starts any command in a terminal. The command finds the path of the program in `$CLI`. */
  program(command: readonly string[], options: TerminalOptions = {}): Terminal {
    const env = {
      EXECWIRE_URL: this.url,
      CLI: SERVER,
      TERM: 'xterm-256color',
      ...options.env,
    };
    const terminal = this.box.terminal(command, { detachable: false, ...options, env });
    const waitFor = terminal.waitFor.bind(terminal);
    terminal.waitFor = (expectation, more) => waitFor(expectation, { timeout: PATIENCE_MS, ...more });
    return terminal;
  }
}

/** Starts a server, and a client whose terminals the program can use. */
export async function cliSetup(t: Test, options: TestServerOptions = {}): Promise<CliSetup> {
  const server = await startServer(t, options);
  const box = await connect(server.url, { name: 'test' });
  // Teardowns run last to first, so the client closes before the server is checked for connections that were left.
  t.teardown(() => box.close());
  return new CliSetup(server, box);
}

/** Types a line into the shell of a terminal until the shell answers. */
export async function untilShellAnswers(terminal: Terminal): Promise<void> {
  const answered = terminal.waitFor('it answers');
  let isDone = false;
  const done = answered.finally(() => {
    isDone = true;
  });
  done.catch(() => {});
  while (!isDone) {
    // In two parts, so that the line itself, which the terminal shows, is no answer.
    await terminal.write("echo 'it ''answers'\r");
    await Promise.race([done, setTimeout(ANSWER_MS)]);
  }
  await answered;
}

/** Everything that a terminal shows until its program ends, and the exit code. */
export async function endOf(terminal: Terminal): Promise<{ text: string; code: number | undefined }> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const bytes of terminal.output) text += decoder.decode(bytes, { stream: true });
  return { text, code: (await terminal.result).exitCode };
}
