/** The handle of one terminal. Knows no connection. */
import type { OutputChunk } from './capture.js';
import type { InputChunk } from './input-source.js';
import type { TerminalSize } from './options.js';
import type { OutputEvent, OutputGap } from './output.js';
import type { Result } from './result.js';
import type { Run } from './run.js';
import type { Started } from './started.js';
import type { Expectation, Met } from './wait-for.js';

/**
 * How a terminal ended.
 *
 * @example
 * import type { TerminalResult } from 'execwire-client';
 * const { result } = box.terminal(['sh', '-c', 'exit 7']);
 * const { exitCode }: TerminalResult = await result;
 * console.log(exitCode); // 7
 */
export type TerminalResult = Pick<Result, 'command' | 'exitCode' | 'signal' | 'timedOut' | 'durationMs' | 'cause'>;

/**
 * A terminal with a program in it.
 *
 * @example
 * const term = box.terminal(['sh'], { cols: 100, rows: 30, env: { PS1: '$ ' } });
 * await term.waitFor('$ ');
 * await term.write('stty size\n');
 * const { match } = await term.waitFor(/\d+ \d+/);
 * console.log(match); // 30 100
 * await term.write('exit 7\n');
 * console.log((await term.result).exitCode); // 7
 */
export class Terminal {
  readonly #run: Run;
  readonly #screenOf: () => Promise<string>;

  /** Use {@link Box.terminal} or {@link Box.attachTerminal}. */
  constructor(run: Run, screenOf: () => Promise<string>) {
    this.#run = run;
    this.#screenOf = screenOf;
    // Most programs do not ask how a terminal ended.
    run.catch(() => {});
  }

  /** How it ended, with any exit code. @throws {RpcError | LostError | UnknownOutcomeError} when there is no exit code */
  get result(): Promise<TerminalResult> {
    return this.#run.then();
  }

  /** Name of the terminal, for {@link Box.attachTerminal}; undefined if it ends with its connection. */
  get key(): string | undefined {
    return this.#run.key;
  }

  /** Resolves when the server has started it; rejects when it does not. */
  get started(): Promise<Started> {
    return this.#run.started;
  }

  /** What it writes. A reader that pauses slows the program; one that leaves its loop does not. */
  get output(): AsyncIterable<Uint8Array> {
    return this.#run.stdout;
  }

  /** The same, with pictures of the screen marked: a program that shows them on a terminal of its own must empty it first. */
  get chunks(): AsyncIterable<OutputChunk> {
    return this.#run.chunks;
  }

  /** Calls back with each piece of output from now on, exactly once and in order. @returns takes the listener away */
  onOutput(listener: (event: OutputEvent) => void): () => void {
    return this.#run.onOutput(listener);
  }

  /** Calls back for output that this client will never get. @returns takes the listener away */
  onGap(listener: (gap: OutputGap) => void): () => void {
    return this.#run.onGap(listener);
  }

  /** Types; resolves when the server has accepted it. @throws {RpcError} `stdinClosed`, `notWriter` */
  write(data: InputChunk): Promise<void> {
    return this.#run.write(data);
  }

  /** Types end-of-file. */
  end(): Promise<void> {
    return this.#run.end();
  }

  /** Sets its size; the program is told. */
  resize(size: TerminalSize): Promise<void> {
    return this.#run.resize(size);
  }

  /** Ends it as {@link Run.kill} does. An interactive shell ignores `SIGTERM`, and is then killed after `forceKillAfter`. */
  kill(signal = 'SIGTERM'): Promise<void> {
    return this.#run.kill(signal);
  }

  /** Waits as {@link Run.waitFor} does. */
  waitFor(expectation: Expectation, options: { readonly timeout?: number } = {}): Promise<Met> {
    return this.#run.waitFor(expectation, options);
  }

  /** Detaches from it; it goes on for its `ttl`. */
  detach(): Promise<void> {
    return this.#run.detach();
  }

  /**
   * What is on the screen: text with escape sequences that draw it on an empty terminal of the same size.
   * @throws {Error} when the terminal is not detachable, because the server then keeps no screen
   */
  screen(): Promise<string> {
    return this.#screenOf();
  }
}
