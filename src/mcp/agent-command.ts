/**
 * One command of an agent: its handle on the server, its kept output, its end, and when a tool named it last. Knows no tool and no other command.
 *
 *     starting → running → ended
 *         └───────────────────▲ (refused: it is not listed)
 */
import type { OutputEvent, OutputGap, Result, Run, TerminalSize } from '../../client/src/node.js';
import { commandText, ExecError, LostError, UnknownOutcomeError } from '../../client/src/result.js';
import { KeptOutput } from './kept-output.js';
import { StreamMerge } from './stream-merge.js';

/** What `Run` and `Terminal` of the client have in common. */
type Handle = Pick<Run, 'started' | 'key' | 'onOutput' | 'onGap' | 'kill' | 'write' | 'end'>;

/** How a command ended, as far as anybody knows. */
export type Ending = Pick<Result, 'cause' | 'exitCode' | 'signal' | 'durationMs'> & {
  /** What is known beside it: why the outcome is unknown. */
  readonly detail?: string;
};

/** Why this program ended a command by itself. */
export type EndedBy = 'ttl' | 'cancelled' | 'stop';

export interface AgentCommandOptions {
  /** Name for the tools, such as `c7`. */
  readonly id: string;
  /** As the agent wrote it. */
  readonly line: string;
  /** Size of its terminal; undefined on pipes. */
  readonly size: TerminalSize | undefined;
  /** Called after each piece of output, so that all output together stays bounded. */
  readonly onOutput: () => void;
}

/** One command. */
export class AgentCommand {
  readonly id: string;
  readonly line: string;
  readonly size: TerminalSize | undefined;
  readonly output = new KeptOutput();
  readonly startedAtMs = performance.now();
  /** Number of its process on the server's machine. */
  pid: number | undefined;
  /** How it ended; undefined while it runs. */
  ending: Ending | undefined;
  /** Set when this program has asked for its end. */
  endedBy: EndedBy | undefined;
  /** Where `read_output` goes on by default. */
  cursor = 0;
  readonly #onOutput: () => void;
  readonly #listeners = new Set<() => void>();
  readonly #merge = new StreamMerge((bytes) => this.output.push(bytes));
  #handle: Handle | undefined;
  #lastOutputAtMs = performance.now();

  constructor({ id, line, size, onOutput }: AgentCommandOptions) {
    this.id = id;
    this.line = line;
    this.size = size;
    this.#onOutput = onOutput;
  }

  /** Whether it has a terminal. */
  get isTerminal(): boolean {
    return this.size !== undefined;
  }

  /** Its name on the server; undefined where the server keeps none. */
  get key(): string | undefined {
    return this.#handle?.key;
  }

  /** Milliseconds without output. */
  get silentMs(): number {
    return performance.now() - this.#lastOutputAtMs;
  }

  /** Follows a run or a terminal to its end. @returns resolves at the end @throws what the server refused */
  async follow(handle: Handle, result: PromiseLike<Ending>): Promise<void> {
    this.#listen(handle);
    const startedAtMs = performance.now();
    try {
      this.#ended(await result);
    } catch (error) {
      if (error instanceof ExecError) this.#ended(error.result);
      else if (error instanceof LostError || error instanceof UnknownOutcomeError) {
        const cause = error instanceof LostError ? 'lost' : 'unknown';
        const durationMs = performance.now() - startedAtMs;
        const detail = error.message.replace(`: ${commandText(error.result?.command ?? [])}`, '');
        this.#ended({ cause, exitCode: undefined, signal: undefined, durationMs, detail });
      } else throw error;
    }
  }

  /** Resolves when the server has started it. */
  async whenStarted(): Promise<void> {
    const started = await this.#handle?.started;
    this.pid = started?.pid;
  }

  /** Calls back after each piece of output and at the end. @returns takes the listener away */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves at its end. */
  async whenEnded(): Promise<void> {
    if (this.ending !== undefined) return;
    await new Promise<void>((resolve) => {
      const remove = this.onChange(() => {
        if (this.ending === undefined) return;
        remove();
        resolve();
      });
    });
  }

  /** Types or pipes text. @throws {RpcError} `stdinClosed` and others */
  async write(text: string): Promise<void> {
    await this.#handle?.write(text);
  }

  /** Ends its input. */
  async endInput(): Promise<void> {
    await this.#handle?.end();
  }

  /** Sends a signal: SIGTERM is followed by SIGKILL, SIGKILL reaches the whole tree, all others only go to its process group. */
  async kill(signal: string, endedBy?: EndedBy): Promise<void> {
    if (this.ending !== undefined) return;
    this.endedBy ??= endedBy;
    await this.#handle?.kill(signal);
  }

  #listen(handle: Handle): void {
    this.#handle = handle;
    handle.onOutput(({ stream, bytes }: OutputEvent) => {
      this.#merge.push(stream, bytes);
      this.#lastOutputAtMs = performance.now();
      this.#onOutput();
      this.#changed();
    });
    handle.onGap(({ from, to }: OutputGap) => this.output.skip(to - from));
  }

  #ended({ cause, exitCode, signal, durationMs, detail }: Ending): void {
    this.#merge.end();
    this.ending = { cause, exitCode, signal, durationMs, ...(detail === undefined ? {} : { detail }) };
    this.#changed();
    this.#listeners.clear();
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
