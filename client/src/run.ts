/** The handle of one command: a promise of its result, and methods while it runs. Knows no connection. */

import type { AbortSignalLike } from './abort-signal.js';
import { Capture, type CaptureBounds, type OutputChunk } from './capture.js';
import { NoReply } from './command-fate.js';
import type { CommandPlan } from './command-plan.js';
import { feedInput } from './feed-input.js';
import { bytesOf, type Input, type InputChunk } from './input-source.js';
import { linesOf } from './lines.js';
import type { TerminalSize } from './options.js';
import { Output, type OutputEvent, type OutputGap } from './output.js';
import { type CommandHome, RemoteCommand } from './remote-command.js';
import type { Captured, Result } from './result.js';
import { type Circumstances, type ResultSettings, resultOfNoReply, resultOfReply } from './run-result.js';
import { type Started, startedOf } from './started.js';
import { type Expectation, Expecter, type Met } from './wait-for.js';
import type { StreamName } from './wire.js';

/** How a run behaves, all defaults filled in. */
export interface RunSettings extends ResultSettings {
  /** What is kept of the output; undefined for nothing. */
  readonly capture: CaptureBounds | undefined;
  readonly input: Input | undefined;
  readonly signal: AbortSignalLike | undefined;
  readonly forceKillAfterMs: number;
  readonly reportError: (error: unknown) => void;
}

const BOTH: readonly StreamName[] = ['stdout', 'stderr'];
/** Milliseconds that `waitFor` waits by default: a prompt that has not come in half a minute will not come. */
const WAIT_FOR_MS = 30_000;
/** Characters of output in the message of a wait that failed. */
const SHOWN_OUTPUT = 500;

/**
 * A command that runs: await it for its result; read, write, resize and kill it meanwhile.
 *
 * @example
 * const run = box.exec(['sh', '-c', 'echo one; echo two']);
 * for await (const line of run.lines()) console.log(line); // one, then two
 * const { exitCode } = await run;
 * console.log(exitCode); // 0
 */
export class Run<T extends Captured = string> implements Promise<Result<T>> {
  readonly [Symbol.toStringTag] = 'Run';
  readonly #settings: RunSettings;
  readonly #home: CommandHome;
  readonly #capture: Capture | undefined;
  readonly #output: Output;
  readonly #command: RemoteCommand;
  readonly #result: Promise<Result<T>>;
  #started: Promise<Started> | undefined;
  #expecter: Expecter | undefined;
  #wasAborted = false;
  #wasKillAsked = false;
  #inputFailure: { readonly error: unknown } | undefined;

  /** Use {@link Box.exec} or {@link Box.attach}. */
  constructor(home: CommandHome, plan: CommandPlan, settings: RunSettings) {
    this.#home = home;
    this.#settings = settings;
    this.#capture = settings.capture === undefined ? undefined : new Capture(settings.capture);
    this.#output = new Output({
      capture: this.#capture,
      onProcessed: (stream, offset) => this.#command?.acknowledge(stream, offset),
      isBounded: () => this.#command.isWindowed,
      reportError: settings.reportError,
      outcome: () => this.#result,
    });
    this.#command = new RemoteCommand(home, plan, this.#output);
    this.#result = this.#settle(home.platform.clock.now());
    if (settings.input !== undefined) void this.#feed(settings.input);
  }

  /** Name of a detachable command, for {@link Box.attach}. Settled once {@link Run.started} is; undefined for other commands. */
  get key(): string | undefined {
    return this.#command.key;
  }

  /** Resolves when the server has started the command; rejects when it does not. */
  get started(): Promise<Started> {
    if (this.#started === undefined) {
      this.#started = startedOf(this.#command, this.#home.platform.clock);
      this.#started.catch(() => {});
    }
    return this.#started;
  }

  /** Standard output, from its beginning as far as it is kept. A reader that pauses slows the command; one that leaves its loop does not. */
  get stdout(): AsyncIterable<Uint8Array> {
    return this.#bytes(['stdout']);
  }

  /** Standard error, likewise. */
  get stderr(): AsyncIterable<Uint8Array> {
    return this.#bytes(['stderr']);
  }

  /** Both streams in the order in which they come. */
  get all(): AsyncIterable<Uint8Array> {
    return this.#bytes(BOTH);
  }

  /** Both streams, each piece with the name of its stream, in the order in which they come. */
  get chunks(): AsyncIterable<OutputChunk> {
    return this.#read(BOTH);
  }

  /**
   * Lines, without their ends. Throws behind the last one when the command has failed, unless `reject` is false.
   * @param from a stream, or both; default `stdout`
   */
  lines(from: StreamName | 'all' = 'stdout'): AsyncIterableIterator<string> {
    return linesOf(() => this.#read(from === 'all' ? BOTH : [from]));
  }

  /**
   * Calls back with each piece of output from now on, exactly once and in order, also when the connection breaks.
   * @returns takes the listener away
   */
  onOutput(listener: (event: OutputEvent) => void): () => void {
    return this.#output.listen(listener);
  }

  /** Calls back for output that this client will never get: commands with `whenFull: 'drop'` lose some while no client is attached. @returns takes the listener away */
  onGap(listener: (gap: OutputGap) => void): () => void {
    return this.#output.gaps.add(listener);
  }

  /** Writes to standard input; resolves when the server has accepted it. Needs `stdin: 'pipe'`. @throws {RpcError} `stdinClosed`, `stdinNotStreamed` */
  write(data: InputChunk): Promise<void> {
    return quiet(this.#command.input.write(bytesOf(data)));
  }

  /** Ends standard input; on a terminal types end-of-file. A second time does nothing. */
  end(): Promise<void> {
    return quiet(this.#command.input.close());
  }

  /** Sets the size of a terminal. */
  resize({ cols, rows }: TerminalSize): Promise<void> {
    return quiet(this.#command.resize({ rows, cols }));
  }

  /**
   * Sends a signal. `SIGTERM` is followed by SIGKILL after `forceKillAfter`; `SIGKILL` ends the command and all its descendants at once; any
   * other goes to its process group. After the end it does nothing.
   * @param signal default `SIGTERM`
   */
  kill(signal = 'SIGTERM'): Promise<void> {
    this.#wasKillAsked = true;
    return quiet(this.#kill(signal));
  }

  /**
   * Waits for a text, a pattern or silence in the output behind what the last wait met.
   * @param options `timeout` in milliseconds; default 30000
   * @throws {Error} when it does not come in time, or before the command ends
   */
  async waitFor(expectation: Expectation, options: { readonly timeout?: number } = {}): Promise<Met> {
    this.#expecter ??= this.#expect();
    const timeoutMs = options.timeout ?? WAIT_FOR_MS;
    const met = await this.#expecter.wait(expectation, timeoutMs);
    if (typeof met === 'object') return met;
    const why = met === 'ended' ? 'the command has ended' : `${timeoutMs} ms have passed`;
    throw new Error(
      `waitFor ${String(expectation)}: ${why}; the output ends with:\n${this.#expecter.rest(SHOWN_OUTPUT)}`,
    );
  }

  /**
   * Detaches from the command, which goes on for its `ttl`; the promise of the result then rejects with {@link UnknownOutcomeError}.
   * @throws {RpcError} `notDetachable`
   */
  async detach(): Promise<void> {
    this.#result.catch(() => {});
    await this.#command.place.request('command/exec/detach', () => ({}));
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise of its result.
  then<A = Result<T>, B = never>(
    onFulfilled?: ((result: Result<T>) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<Result<T> | B> {
    return this.#result.catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<Result<T>> {
    return this.#result.finally(onFinally);
  }

  async #settle(startedAt: number): Promise<Result<T>> {
    const { signal } = this.#settings;
    const abort = (): void => {
      this.#wasAborted = true;
      void quiet(this.#kill('SIGTERM'));
    };
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort);
    try {
      const reply = await this.#command.reply;
      return resultOfReply(reply, this.#settings, this.#circumstances(startedAt));
    } catch (error) {
      if (!(error instanceof NoReply)) throw error;
      return resultOfNoReply(error, this.#settings, this.#circumstances(startedAt));
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#output.end();
    }
  }

  #circumstances(startedAt: number): Circumstances {
    return {
      capture: this.#capture,
      elapsedMs: this.#home.platform.clock.now() - startedAt,
      wasAborted: this.#wasAborted,
      wasKillAsked: this.#wasKillAsked,
      inputFailure: this.#inputFailure,
    };
  }

  async #kill(signal: string): Promise<void> {
    if (this.#command.abandon()) return;
    const isTerm = signal === 'SIGTERM';
    const method = isTerm || signal === 'SIGKILL' ? 'terminate' : 'signal';
    // `terminate` without params kills at once.
    const params =
      signal === 'SIGKILL' ? {} : { signal, graceMs: isTerm ? this.#settings.forceKillAfterMs : undefined };
    await this.#command.place.request(`command/exec/${method}`, () => params);
  }

  /** What the input throws ends the command, and is the cause of its error. */
  async #feed(input: Input): Promise<void> {
    try {
      await feedInput(input, this.#command);
    } catch (error) {
      this.#inputFailure = { error };
      await this.kill('SIGTERM').catch(() => {});
    }
  }

  #bytes(streams: readonly StreamName[]): AsyncIterable<Uint8Array> {
    const read = (): AsyncIterableIterator<OutputChunk> => this.#read(streams);
    return {
      async *[Symbol.asyncIterator]() {
        for await (const { bytes } of read()) yield bytes;
      },
    };
  }

  #read(streams: readonly StreamName[]): AsyncIterableIterator<OutputChunk> {
    // The reader throws the failure at its end, so the promise need not be looked at.
    this.#result.catch(() => {});
    return this.#output.read(streams);
  }

  #expect(): Expecter {
    const expecter = new Expecter(this.#home.platform.clock);
    for (const { bytes } of this.#capture?.chunks(BOTH) ?? []) expecter.push(bytes);
    this.#output.listen(({ bytes }) => expecter.push(bytes));
    void this.#command.reply.catch(() => {}).then(() => expecter.end());
    return expecter;
  }
}

/** Marks a rejection as handled, so that the caller may ignore it: the result of the command tells of every failure that matters. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
