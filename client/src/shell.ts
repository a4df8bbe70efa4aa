/// <reference lib="esnext.disposable" preserve="true" />
/** A live shell that runs one line at a time, and whose directory and variables persist. Knows no connection and no shell syntax. */
import type { AbortSignalLike } from './abort-signal.js';
import { randomName } from './affinity.js';
import { bytesOfLatin1, latin1Of } from './base64.js';
import { Capture, type CaptureBounds } from './capture.js';
import { fieldOf, messageOf } from './errors.js';
import { Listeners } from './listeners.js';
import { type Platform, sleep } from './platform.js';
import { endText, type Result, UnknownOutcomeError } from './result.js';
import type { Run } from './run.js';
import { LineEnd, preparation, SHELL_COMMANDS, type ShellKind, typedHandshake, typedLine } from './shell-script.js';

/** Random bytes of a mark. */
const MARK_BYTES = 16;
/** Most bytes of output between two lines, by programs in the background, that the next line shows. */
const KEPT_BETWEEN = 64 * 1024;
/** Milliseconds between two interrupts: a program may catch one and go on, and then the line goes on. */
const INTERRUPT_EVERY_MS = 1_000;
/** Characters of output in an error. */
const SHOWN_OUTPUT = 500;
/** Interrupts before the shell is killed. */
const INTERRUPTS = 3;

/**
 * How to run a line in a shell.
 *
 * @example
 * import type { ShellRunOptions } from 'execwire-client';
 * const options: ShellRunOptions = { timeout: 1_000 };
 * await using shell = box.shell();
 * const { timedOut, recovered, output } = await shell.run('echo started; sleep 60', options);
 * console.log(timedOut, recovered, output); // true true started
 */
export interface ShellRunOptions {
  /** Milliseconds until the line is interrupted as by Ctrl-C, at most 2147483647. Default: never. */
  readonly timeout?: number;
  /** Is called with output as it comes. Default: none. */
  readonly onOutput?: (text: string) => void;
}

/**
 * What a line did.
 *
 * @example
 * import type { ShellResult } from 'execwire-client';
 * await using shell = box.shell();
 * const { exitCode, output }: ShellResult = await shell.run('cd / && pwd; false');
 * console.log(exitCode, output); // 1 /
 */
export interface ShellResult {
  /** Exit code of the line, or of the shell if the line ended it; undefined after a timeout if the shell told none. */
  readonly exitCode: number | undefined;
  /** Standard output and standard error of the line, without one newline at its end. */
  readonly output: string;
  /** Bytes of output that are not in `output`. */
  readonly truncated: number;
  readonly timedOut: boolean;
  /** After a timeout: whether the shell lives on with its variables. */
  readonly recovered: boolean;
  /** Whether the line ended its shell, as `exit` does, and a timeout may. The next line starts another one, without the old variables. */
  readonly ended: boolean;
  /** Whether a new shell was started for this line, because an earlier line ended the last one. */
  readonly restarted: boolean;
  readonly durationMs: number;
}

export interface ShellSettings {
  readonly platform: Platform;
  /** Undefined for bash, or `sh` where there is none. */
  readonly kind: ShellKind | undefined;
  readonly bounds: CaptureBounds;
  readonly start: (command: readonly string[]) => Run;
}

interface LiveShell {
  readonly run: Run;
  readonly kind: ShellKind;
  /** How it ended; undefined while it lives. */
  end: string | undefined;
  /** Called at its end. One of the shell and not of each line, because what is added to the run stays in memory until its end. */
  onEnd: () => void;
  /** Takes the output of the present line. */
  onOutput: (stream: 'stdout' | 'stderr', latin1: string) => void;
}

/**
 * One live `bash` (or `sh`) whose directory and variables persist from line to line. Lines run one after the other.
 *
 * @example
 * await using shell = box.shell();
 * await shell.run('cd / && export A=1');
 * const { output, exitCode } = await shell.run('echo $PWD $A');
 * console.log(output, exitCode); // / 1 0
 */
export class Shell {
  readonly #settings: ShellSettings;
  /** The shell that waits for a line. */
  #live: LiveShell | undefined;
  /** The process of the newest shell, which may be starting. */
  #run: Run | undefined;
  #closing = new AbortController();
  #wasStarted = false;
  #last: Promise<unknown> = Promise.resolve();
  /** Output of programs in the background between two lines. */
  #between = '';

  /** Use {@link Box.shell}. */
  constructor(settings: ShellSettings) {
    this.#settings = settings;
  }

  /**
   * Runs a line, which may be a script of many lines. Resolves with any exit code; that of a syntax error is 2. The input of the line is empty. Under
   * `set -e` a command that fails ends only the line in bash; in `sh` it ends the shell, as `exit` does, and so do in bash a syntax error, an unbound variable
   * (`set -u`, `${x:?}`), writing to a readonly variable, and any failure where the script has an ERR trap of its own: `ended` is then true.
   * @throws {RpcError | UnknownOutcomeError} when the shell cannot start
   * @throws {LostError | UnknownOutcomeError} when the shell is lost with its server, or can run no more lines because of this one (`ulimit -n 10`). The next
   *   line starts another shell
   * @throws {UnknownOutcomeError} with `wasSent: false` when the shell has ended since the last line. This line is not run, and the next one starts another shell
   * @throws {Error} when the shell is closed before the line begins
   */
  async run(line: string, options: ShellRunOptions = {}): Promise<ShellResult> {
    this.#settings.platform.checkOptions('shell.run', [line, options]);
    const closing = this.#closing;
    const result = this.#last.then(() => this.#runLine(line, options, closing));
    this.#last = result.catch(() => {});
    return result;
  }

  /** Kills the shell and all its descendants, also while it starts. Lines that wait for others are not run. The next line starts another shell. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('The shell was closed'));
    this.#closing = new AbortController();
    this.#live = undefined;
    const run = this.#run;
    await run?.kill('SIGKILL');
    await run?.catch(() => {});
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #runLine(line: string, { timeout, onOutput }: ShellRunOptions, closing: AbortController): Promise<ShellResult> {
    const { platform, bounds } = this.#settings;
    const { clock } = platform;
    closing.signal.throwIfAborted();
    const restarted = this.#live === undefined && this.#wasStarted;
    const live = this.#live ?? (await this.#start(closing));
    // Until the line has ended well.
    this.#live = undefined;
    if (live.end !== undefined) {
      throw new UnknownOutcomeError(`The line was not run: its shell has ended: ${live.end}`, {
        wasSent: false,
      });
    }
    const startedAt = clock.now();
    const mark = randomName(MARK_BYTES);
    const end = new LineEnd(mark);
    const capture = new Capture(bounds);
    const decoder = new TextDecoder();
    const listeners = new Listeners<string>(platform.reportError);
    if (onOutput !== undefined) listeners.add(onOutput);
    const keep = (latin1: string): void => {
      if (latin1 === '') return;
      const bytes = bytesOfLatin1(latin1);
      capture.push('stdout', bytes);
      listeners.tell(decoder.decode(bytes, { stream: true }));
    };
    keep(this.#between);
    const over = new AbortController();
    const ended = new Promise<Result | undefined>((resolve) => {
      live.onEnd = () => resolve(live.run);
      live.onOutput = (stream, latin1) => {
        keep(end.push(stream, latin1));
        if (end.isReached) resolve(undefined);
        // It would wait for ever; its end brings the rest of its output.
        else if (end.failure !== undefined) void live.run.kill('SIGKILL');
      };
    });
    const cancel =
      timeout === undefined ? undefined : clock.after(timeout, () => void this.#interrupt(live, end, over.signal));
    void live.run.write(typedLine(live.kind, line, mark));
    try {
      const result = await ended;
      if (result === undefined && !closing.signal.aborted) this.#live = live;
      keep(end.rest());
      const output = capture.text(['stdout']).replace(/\r?\n$/, '');
      if (result !== undefined && end.failure !== undefined) {
        const shown = `${end.failure}\n${output.slice(-SHOWN_OUTPUT)}`;
        throw new UnknownOutcomeError(`The shell can run no more lines: ${shown}`);
      }
      const timedOut = end.wasInterrupted;
      return {
        // What a kill after the timeout ended has no exit code of its own.
        exitCode: result === undefined || (timedOut && result.cause !== 'exited') ? end.exitCode : result.exitCode,
        output,
        truncated: capture.leftOut('stdout'),
        timedOut,
        recovered: timedOut && result === undefined,
        ended: result !== undefined,
        restarted,
        durationMs: clock.now() - startedAt,
      };
    } catch (error) {
      void live.run.kill('SIGKILL');
      throw error;
    } finally {
      cancel?.();
      over.abort();
      this.#between = end.behind;
      live.onOutput = (stream, latin1) => {
        if (stream === 'stdout') this.#between = (this.#between + latin1).slice(-KEPT_BETWEEN);
      };
    }
  }

  /** Starts bash, or `sh` where there is no bash, unless the caller named one. */
  async #start(closing: AbortController, kind = this.#settings.kind ?? 'bash'): Promise<LiveShell> {
    const run = this.#settings.start(SHELL_COMMANDS[kind]);
    const live: LiveShell = { run, kind, end: undefined, onEnd() {}, onOutput() {} };
    this.#run = run;
    void run.then(endText, messageOf).then((end) => {
      live.end = end;
      live.onEnd();
    });
    run.onOutput(({ stream, bytes }) => live.onOutput(stream, latin1Of(bytes)));
    try {
      await run.started;
      await run.write(preparation(kind));
    } catch (error) {
      if (kind !== 'bash' || this.#settings.kind !== undefined || fieldOf(error, 'reason') !== 'spawnFailed')
        throw error;
      return await this.#start(closing, 'sh');
    } finally {
      closing.signal.throwIfAborted();
    }
    this.#wasStarted = true;
    this.#between = '';
    return live;
  }

  /**
   * Presses Ctrl-C until the shell takes lines again, and kills it when it does not. The shell proves by a new mark that it does: an interrupt can come
   * at the very end of a line, and then eats some of what was typed next.
   */
  async #interrupt(live: LiveShell, end: LineEnd, over: AbortSignalLike): Promise<void> {
    const { clock } = this.#settings.platform;
    for (let left = INTERRUPTS; left > 0; left -= 1) {
      if (end.hasBegun) {
        const mark = randomName(MARK_BYTES);
        end.interrupt(mark);
        // One behind the other: what is typed before the interrupt is there may be lost by it.
        await live.run.kill('SIGINT').catch(() => {});
        // On a busy machine a shell may find signal and handshake at once, and loses what it has just read.
        if (left < INTERRUPTS) await sleep(clock, INTERRUPT_EVERY_MS / 2, over);
        void live.run.write(typedHandshake(mark));
      }
      await sleep(clock, INTERRUPT_EVERY_MS, over);
      if (over.aborted) return;
    }
    end.interrupt(randomName(MARK_BYTES));
    void live.run.kill('SIGKILL');
  }
}
