/** What can be done with a command while it runs; the handles of commands and of terminals have it in common. Knows no connection. */

import { Capture, type CaptureBounds, type OutputChunk } from './capture.js';
import { NoReply } from './command-fate.js';
import type { CommandPlan } from './command-plan.js';
import { forceKillAfterMs } from './defaults.js';
import { messageOf } from './errors.js';
import { feedInput } from './feed-input.js';
import { bytesOf, type InputChunk, type InputSource, sourceOf } from './input-source.js';
import type { ExecOptions, TerminalSize } from './options.js';
import { BOTH, Output, type OutputEvent, type OutputGap } from './output.js';
import { type CommandHome, RemoteCommand } from './remote-command.js';
import { type Captured, endText, type Result } from './result.js';
import { type Circumstances, type ResultSettings, resultOfNoReply, resultOfReply } from './run-result.js';
import { type Started, startedOf } from './started.js';
import { type Expectation, Expecter, type Met } from './wait-for.js';
import type { StreamName } from './wire.js';

/** How a run behaves: the options of its caller, and what follows from them. */
export interface RunSettings
  extends ResultSettings,
    Pick<ExecOptions, 'input' | 'stdin' | 'signal' | 'forceKillAfter'> {
  /** What is kept of the output; undefined for nothing. */
  readonly capture: CaptureBounds | undefined;
}

/** Milliseconds that `waitFor` waits by default: a prompt that has not come in half a minute will not come. */
const WAIT_FOR_MS = 30_000;
/** Characters of output in the message of a wait that failed. */
const SHOWN_OUTPUT = 500;

/** A command that was started, or attached to. */
export class CommandHandle<T extends Captured = string> {
  readonly #settings: RunSettings;
  readonly #home: CommandHome;
  readonly #capture: Capture | undefined;
  readonly #output: Output;
  readonly #command: RemoteCommand;
  /** The result, or the failure. */
  declare protected readonly outcome: Promise<Result<T>>;
  readonly #startedAt: number;
  #started: Promise<Started> | undefined;
  #isQuiet: Promise<unknown> | undefined;
  #expecter: Expecter | undefined;
  readonly #signals = new Set<string>();
  #inputFailure: Circumstances['inputFailure'];
  /** Settles when `input` is written, or needed no more: what is written by hand comes behind it. */
  #isFed: Promise<unknown> = Promise.resolve();

  /** Use the methods of {@link Box}. */
  constructor(home: CommandHome, plan: CommandPlan, settings: RunSettings) {
    // Before anything is started, because it may be no input.
    const input = settings.input === undefined ? undefined : sourceOf(settings.input);
    this.#home = home;
    this.#settings = settings;
    this.#startedAt = home.platform.clock.now();
    this.#capture = settings.capture === undefined ? undefined : new Capture(settings.capture);
    this.#output = new Output({
      capture: this.#capture,
      onProcessed: (stream, offset) => this.#command?.acknowledge(stream, offset),
      isBounded: () => this.#command.isWindowed,
      reportError: home.platform.reportError,
      outcome: () => this.outcome,
    });
    this.#command = new RemoteCommand(home, plan, this.#output);
    this.outcome = this.#settle();
    // An input that waits for ever keeps nobody waiting behind the end of the command.
    if (input !== undefined) this.#isFed = quiet(Promise.race([this.#feed(input), this.#command.reply]));
  }

  /** Name of a detachable command, for {@link Box.attach} and {@link Box.attachTerminal}. Settled once `started` is; undefined for other commands. */
  get key(): string | undefined {
    return this.#command.key;
  }

  /**
   * Resolves when the server has started the command; rejects when it does not, as the command itself does with `reject: true`.
   * @throws {RpcError | ExecError | LostError | UnknownOutcomeError}
   */
  get started(): Promise<Started> {
    this.#started ??= this.#watched(
      startedOf(this.#command, this.#home.platform.clock).catch((error): never => {
        this.#endWithout(error, { ...this.#settings, throwsOn: 'failure' });
        throw error;
      }),
    );
    return this.#started;
  }

  /** Both streams, each piece with the name of its stream, in the order in which they come. */
  get chunks(): AsyncIterable<OutputChunk> {
    return this.read(BOTH);
  }

  /**
   * Calls back with each piece of output from now on, exactly once and in order, also when the connection breaks.
   * @param listener gets the stream, the position of the first byte in it, and the bytes
   * @returns takes the listener away
   *
   * @example
   * const run = box.exec(['sh', '-c', 'printf ab; printf c >&2']);
   * run.onOutput(({ stream, offset, bytes }) => console.log(stream, offset, [...bytes])); // stdout 0 [ 97, 98 ], then stderr 0 [ 99 ]
   * await run;
   */
  onOutput(listener: (event: OutputEvent) => void): () => void {
    return this.#output.listen(listener);
  }

  /**
   * Calls back for output that this client will never get: commands with `whenFull: 'drop'` lose some while no client is attached.
   * @param listener gets the stream, and the positions in it of the first byte that is lost and of the next one that is not
   * @returns takes the listener away
   */
  onGap(listener: (gap: OutputGap) => void): () => void {
    return this.#output.gaps.add(listener);
  }

  /**
   * Writes to standard input, which a terminal always has and a command with `stdin: 'pipe'`, behind its `input` and what was written before. Resolves when the
   * server has accepted it.
   * @throws {RpcError} `stdinClosed`, `stdinNotStreamed`, `notWriter`; at once when the options of the command leave no room for it (in browsers it rejects)
   */
  write(data: InputChunk): Promise<void> {
    return this.#give('write', data);
  }

  /**
   * Ends standard input behind its `input` and all that was written; on a terminal types end-of-file. A second time does nothing.
   * @param last is written before; default nothing
   * @throws {RpcError} as `write` does, for `last`
   */
  end(last: InputChunk = ''): Promise<void> {
    return this.#give('end', last);
  }

  /** Sets the size of a terminal; the program is told. */
  resize(size: TerminalSize): Promise<void> {
    this.check('resize', size);
    const { cols, rows } = size;
    return this.#watched(this.#command.resize({ rows, cols }));
  }

  /**
   * Sends a signal. `SIGTERM` is followed by SIGKILL after `forceKillAfter`; `SIGKILL` ends the command and all its descendants at once; any
   * other goes to its process group. An interactive shell ignores `SIGTERM`, and is then killed after `forceKillAfter`. Before the command is sent to the server, these two end it at once and others wait. After the end it does nothing.
   * @param signal default `SIGTERM`
   * @throws {RpcError} `invalidSignal` @throws {TypeError} for a number or `INT`, where `SIGINT` is meant (not in browsers)
   */
  kill(signal = 'SIGTERM'): Promise<void> {
    this.check('kill', { signal });
    return this.#watched(this.#kill(signal));
  }

  /**
   * Waits for a text, a pattern or silence in the output behind what the last wait met.
   * @param options `timeout` in milliseconds, at most 2147483647; default 30000
   * @throws {Error} when it does not come in time, or before the command ends; its message says how the command ended
   */
  async waitFor(expectation: Expectation, options: { readonly timeout?: number } = {}): Promise<Met> {
    this.check('waitFor', [expectation, options]);
    this.#expecter ??= this.#expect();
    const timeoutMs = options.timeout ?? WAIT_FOR_MS;
    const met = await this.#expecter.wait(expectation, timeoutMs);
    if (typeof met === 'object') return met;
    let why = `${timeoutMs} ms have passed`;
    if (met === 'ended') why = `the command has ended: ${await this.outcome.then(endText, messageOf)}`;
    const what =
      typeof expectation === 'object' && 'idle' in expectation ? `${expectation.idle} ms of silence` : expectation;
    throw new Error(`waitFor ${what}: ${why}; the output ends with:\n${this.#expecter.rest(SHOWN_OUTPUT)}`);
  }

  /**
   * Detaches from the command, which goes on for its `ttl`; the promise of the result then rejects with {@link UnknownOutcomeError}.
   * @throws {RpcError} `notDetachable`
   */
  detach(): Promise<void> {
    return this.#watched(this.#detach());
  }

  async #settle(): Promise<Result<T>> {
    const { signal } = this.#settings;
    const abort = (): void => this.#abort();
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort);
    try {
      const reply = await this.#command.reply;
      return resultOfReply(reply, this.#settings, this.#circumstances());
    } catch (error) {
      return this.#endWithout(error, this.#settings);
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#output.end();
    }
  }

  /** The result of a command that gets no reply, where the settings want one. @throws its error in all other cases */
  #endWithout(error: unknown, settings: RunSettings): Result<T> {
    if (error instanceof NoReply) return resultOfNoReply<T>(error, settings, this.#circumstances());
    throw error;
  }

  #circumstances(): Circumstances {
    return {
      capture: this.#capture,
      elapsedMs: this.#home.platform.clock.now() - this.#startedAt,
      // A later abort does nothing, because results are made at the end.
      wasAborted: !this.#command.isObserver && this.#settings.signal?.aborted === true,
      signals: this.#signals,
      inputFailure: this.#inputFailure,
    };
  }

  #give(call: 'write' | 'end', data: InputChunk): Promise<void> {
    const bytes = bytesOf(data);
    const { plan, input } = this.#command;
    this.check(call, [data, plan, this.#settings]);
    return this.#watched(this.#isFed.then(() => input[call](bytes)));
  }

  async #kill(signal: string): Promise<void> {
    const isTerm = signal === 'SIGTERM';
    const isKill = signal === 'SIGKILL';
    this.#signals.add(signal);
    if (isTerm) this.#signals.add('SIGKILL');
    if ((isTerm || isKill) && this.#command.abandon()) return;
    // `terminate` without params kills at once.
    const params = isKill
      ? {}
      : { signal, graceMs: isTerm ? forceKillAfterMs(this.#settings.forceKillAfter) : undefined };
    await this.#command.place.request(`command/exec/${isTerm || isKill ? 'terminate' : 'signal'}`, () => params);
  }

  async #detach(): Promise<void> {
    await this.#command.place.request('command/exec/detach', () => ({}));
  }

  /** An observer only stops watching: the command belongs to its writer. */
  #abort(): void {
    if (!this.#command.isObserver) void quiet(this.#kill('SIGTERM'));
    else if (!this.#command.abandon()) void quiet(this.#detach());
  }

  /** What the input throws ends the command, and is the cause of its error. */
  async #feed(input: InputSource): Promise<void> {
    try {
      await feedInput(input, this.#command, this.#settings.stdin === 'pipe');
    } catch (error) {
      this.#inputFailure = { inputError: error };
      void quiet(this.#kill('SIGTERM'));
    }
  }

  /** Refuses wrong arguments where the platform does. @throws {TypeError} */
  protected check(call: string, given: object): void {
    this.#home.platform.checkOptions(call, given);
  }

  /** Bytes of some streams, for one reader. */
  protected bytes(streams: readonly StreamName[]): AsyncIterable<Uint8Array> {
    const read = (): AsyncIterableIterator<OutputChunk> => this.read(streams);
    return {
      async *[Symbol.asyncIterator]() {
        for await (const { bytes } of read()) yield bytes;
      },
    };
  }

  /** The same in pieces that name their stream. */
  protected read(streams: readonly StreamName[]): AsyncIterableIterator<OutputChunk> {
    // The reader throws the failure at its end, so the promise need not be looked at.
    void quiet(this.outcome);
    return this.#output.read(streams);
  }

  /**
   * For a method that the caller may await or ignore. Marks its rejection as handled, and that of the result: a caller that caught the failure of a start
   * or of a write need not look at the result, too.
   */
  #watched<T>(promise: Promise<T>): Promise<T> {
    void quiet(promise);
    // Once: what waits for the outcome stays in memory until then.
    this.#isQuiet ??= quiet(this.outcome);
    return promise;
  }

  #expect(): Expecter {
    // The wait tells of the failure, so the promise need not be looked at.
    void quiet(this.outcome);
    const expecter = new Expecter(this.#home.platform.clock);
    for (const { bytes } of this.#capture?.chunks(BOTH) ?? []) expecter.push(bytes);
    this.#output.listen(({ bytes }) => expecter.push(bytes));
    void quiet(this.#command.reply).then(() => expecter.end());
    return expecter;
  }
}

/** Marks a rejection as handled. Resolves when the promise settles. */
function quiet(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch(() => {});
}
