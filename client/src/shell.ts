/** A live shell that runs one line at a time, and whose directory and variables persist. Knows no connection and no shell syntax. */
import type { AbortSignalLike } from './abort-signal.js';
import { randomName } from './affinity.js';
import { Capture, type CaptureBounds } from './capture.js';
import { RpcError } from './errors.js';
import { Listeners } from './listeners.js';
import { type Clock, sleep } from './platform.js';
import type { Run } from './run.js';
import { LineEnd, preparation, SHELL_COMMANDS, type ShellKind, typedAgain, typedLine } from './shell-script.js';

/** Random bytes of a mark. */
const MARK_BYTES = 16;
/** Most bytes of output between two lines, by programs in the background, that the next line shows. */
const KEPT_BETWEEN = 64 * 1024;
/** Milliseconds between two interrupts: a program may catch one and go on, and then the line goes on. */
const INTERRUPT_EVERY_MS = 1_000;
/** Interrupts before the shell is killed. */
const INTERRUPTS = 3;

/**
 * How to run a line in a shell.
 *
 * @example
 * import type { ShellRunOptions } from 'execwire-client';
 * const options: ShellRunOptions = { timeout: 100 };
 * await using shell = box.shell();
 * const { timedOut, recovered, output } = await shell.run('echo started; sleep 60', options);
 * console.log(timedOut, recovered, output); // true true started
 */
export interface ShellRunOptions {
  /** Milliseconds until the line is interrupted as by Ctrl-C. Default: never. */
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
  /** Whether a new shell was started for this line, because an earlier line ended the last one. */
  readonly restarted: boolean;
  readonly durationMs: number;
}

export interface ShellSettings {
  readonly clock: Clock;
  /** Undefined for bash, or `sh` where there is none. */
  readonly kind: ShellKind | undefined;
  readonly bounds: CaptureBounds;
  readonly start: (command: readonly string[]) => Run;
  readonly reportError: (error: unknown) => void;
}

interface LiveShell {
  readonly run: Run;
  readonly kind: ShellKind;
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
  #live: LiveShell | undefined;
  #wasStarted = false;
  #last: Promise<unknown> = Promise.resolve();
  /** Output of programs in the background between two lines. */
  #between = '';

  /** Use {@link Box.shell}. */
  constructor(settings: ShellSettings) {
    this.#settings = settings;
  }

  /**
   * Runs a line, which may be a script of many lines. Resolves with any exit code; that of a syntax error is 2. The input of the line is empty. In `sh` a
   * failure under `set -e` ends the shell, as `exit` does; bash ends only the line.
   * @throws {RpcError | LostError | UnknownOutcomeError} when the shell cannot start, or is lost with its server
   */
  run(line: string, options: ShellRunOptions = {}): Promise<ShellResult> {
    const result = this.#last.then(() => this.#run(line, options));
    this.#last = result.catch(() => {});
    return result;
  }

  /** Kills the shell and all its descendants. The next line starts another one. */
  async close(): Promise<void> {
    const live = this.#live;
    this.#live = undefined;
    if (live === undefined) return;
    await live.run.kill('SIGKILL');
    await live.run.catch(() => {});
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(line: string, { timeout, onOutput }: ShellRunOptions): Promise<ShellResult> {
    const { clock, bounds, reportError } = this.#settings;
    const restarted = this.#live === undefined && this.#wasStarted;
    const live = this.#live ?? (await this.#start());
    const startedAt = clock.now();
    const mark = randomName(MARK_BYTES);
    const end = new LineEnd(mark);
    const capture = new Capture(bounds);
    const decoder = new TextDecoder();
    const listeners = new Listeners<string>(reportError);
    if (onOutput !== undefined) listeners.add(onOutput);
    const keep = (latin1: string): void => {
      if (latin1 === '') return;
      const bytes = Uint8Array.from(latin1, (character) => character.charCodeAt(0));
      capture.push('stdout', bytes);
      listeners.tell(decoder.decode(bytes, { stream: true }));
    };
    keep(this.#between);
    this.#between = '';
    const reached = new Promise<'reached'>((resolve) => {
      live.onOutput = (stream, latin1) => {
        const { output, behind } = end.push(stream, latin1);
        keep(output);
        this.#between += behind;
        if (end.isReached) resolve('reached');
      };
    });
    const over = new AbortController();
    let interrupted: Promise<void> | undefined;
    const cancel =
      timeout === undefined
        ? () => {}
        : clock.after(timeout, () => {
            interrupted = this.#interrupt(live, mark, over.signal).catch(() => {});
          });
    live.run.write(typedLine(live.kind, line, mark)).catch(() => {});
    try {
      const how = await Promise.race([reached, live.run]);
      if (how !== 'reached') this.#live = undefined;
      keep(end.rest());
      const text = capture.text(['stdout']).replace(/\r?\n$/, '');
      const timedOut = interrupted !== undefined;
      const exitCode = how === 'reached' ? end.exitCode : timedOut ? undefined : how.exitCode;
      const durationMs = clock.now() - startedAt;
      cancel();
      over.abort();
      await interrupted;
      // The interrupt may come at the very end of the line and eat some of what is typed next: the shell proves by a new mark that it takes lines.
      if (timedOut && how === 'reached') await this.#run(':', {});
      return {
        exitCode,
        output: text,
        truncated: capture.leftOut('stdout'),
        timedOut,
        recovered: timedOut && this.#live !== undefined,
        restarted,
        durationMs,
      };
    } catch (error) {
      this.#live = undefined;
      throw error;
    } finally {
      cancel();
      over.abort();
      live.onOutput = (stream, latin1) => {
        if (stream === 'stdout') this.#between = (this.#between + latin1).slice(-KEPT_BETWEEN);
      };
    }
  }

  async #start(): Promise<LiveShell> {
    const { kind } = this.#settings;
    if (kind !== undefined) return this.#startKind(kind);
    try {
      return await this.#startKind('bash');
    } catch (error) {
      if (!(error instanceof RpcError) || error.reason !== 'spawnFailed') throw error;
      return this.#startKind('sh');
    }
  }

  async #startKind(kind: ShellKind): Promise<LiveShell> {
    const run = this.#settings.start(SHELL_COMMANDS[kind]);
    const live: LiveShell = { run, kind, onOutput: () => {} };
    run.catch(() => {});
    run.onOutput(({ stream, bytes }) => {
      let latin1 = '';
      for (const byte of bytes) latin1 += String.fromCharCode(byte);
      live.onOutput(stream, latin1);
    });
    await run.started;
    await run.write(preparation(kind));
    this.#live = live;
    this.#wasStarted = true;
    this.#between = '';
    return live;
  }

  /** Presses Ctrl-C until the line ends, and then kills the shell. */
  async #interrupt(live: LiveShell, mark: string, over: AbortSignalLike): Promise<void> {
    for (let left = INTERRUPTS; left > 0; left -= 1) {
      await live.run.kill('SIGINT');
      await live.run.write(typedAgain(mark));
      await sleep(this.#settings.clock, INTERRUPT_EVERY_MS, over);
      if (over.aborted) return;
    }
    await live.run.kill('SIGKILL');
  }
}
