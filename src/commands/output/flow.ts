/**
 * Which outputs of a command are open, which are paused for a slow viewer, and how long they are read after the exit of the process. Knows neither
 * what is done with the bytes nor how a process ends.
 *
 * Output from before the exit of a process is always read. A background child may hold a stream open and go on writing; the stream is then cut when
 * it was read for 2 s, at 1 MiB, or 10 s after the exit, whichever comes first. A cut still takes the content of the kernel's buffer.
 */
import type { OutputName } from '../../process/os-process.js';
import type { CancelTimer, Clock } from '../clock.js';

/** How long the end of output may lag behind the exit; does not count while an output is paused. @see PROTOCOL "command/exec" */
export const LINGER_MS = 2000;
/** The longest time that an output is read after the exit, paused or not, so that a slow viewer cannot keep a background child writing for hours. */
export const LONGEST_LINGER_MS = 10_000;
/**
 * Bytes read from one output after the exit before it is cut. A pipe holds at most this much (/proc/sys/fs/pipe-max-size), so all output from before
 * the exit is among them.
 */
export const LINGER_BYTES = 1024 * 1024;

export interface OutputFlowOptions {
  readonly clock: Clock;
  /** Whether an output is read as long as any process holds it. */
  readonly waitsForHolders: boolean;
  /** Takes the content of the kernel's buffer for one output and closes the output. */
  readonly cut: (output: OutputName) => void;
  /** Reads one output again. */
  readonly resume: (output: OutputName) => void;
}

/** The outputs of one command. */
export class OutputFlow {
  readonly #options: OutputFlowOptions;
  readonly #open = new Set<OutputName>();
  readonly #paused = new Set<OutputName>();
  #pausedSinceMs = 0;
  #pausedMs = 0;
  #exited = false;
  #lingerLeftMs = LINGER_MS;
  #lingerSinceMs = 0;
  #cancelLinger: CancelTimer | undefined;
  #cancelLongestLinger: CancelTimer | undefined;
  readonly #bytesSinceExit: Record<OutputName, number> = { stdout: 0, stderr: 0 };

  constructor(options: OutputFlowOptions) {
    this.#options = options;
  }

  get hasOpen(): boolean {
    return this.#open.size > 0;
  }

  /** Milliseconds in which an output was paused. */
  get pausedMs(): number {
    return this.#pausedMs + (this.#paused.size > 0 ? this.#options.clock.nowMs() - this.#pausedSinceMs : 0);
  }

  open(outputs: readonly OutputName[]): void {
    for (const output of outputs) this.#open.add(output);
  }

  /** @returns false when the output is paused already */
  pause(output: OutputName): boolean {
    if (this.#paused.has(output)) return false;
    if (this.#paused.size === 0) this.#pausedSinceMs = this.#options.clock.nowMs();
    this.#paused.add(output);
    this.#stopLinger();
    return true;
  }

  /** Goes on reading a paused output. */
  resume(output: OutputName): void {
    if (!this.#paused.delete(output)) return;
    if (this.#paused.size === 0) {
      this.#pausedMs += this.#options.clock.nowMs() - this.#pausedSinceMs;
      this.#runLinger();
    }
    this.#options.resume(output);
  }

  resumeAll(): void {
    for (const output of [...this.#paused]) this.resume(output);
  }

  /** Counts bytes that were read. To be called after they were passed on. */
  took(output: OutputName, bytes: number): void {
    if (!this.#exited || this.#options.waitsForHolders) return;
    this.#bytesSinceExit[output] += bytes;
    if (this.#bytesSinceExit[output] >= LINGER_BYTES && this.#open.has(output)) this.#cut(output);
  }

  /** An output has ended. */
  close(output: OutputName): void {
    this.#open.delete(output);
    this.resume(output);
  }

  /** The process has ended, so the time for held outputs runs from now on. */
  exited(): void {
    this.#exited = true;
    if (this.#open.size === 0 || this.#options.waitsForHolders) return;
    this.#cancelLongestLinger = this.#options.clock.after(LONGEST_LINGER_MS, () => this.cutAll());
    this.#runLinger();
  }

  /** Output is not wanted any more, so the command does not wait for processes that hold it. */
  abandon(): void {
    this.#lingerLeftMs = 0;
    this.resumeAll();
    if (this.#exited) this.cutAll();
  }

  cutAll(): void {
    for (const output of [...this.#open]) this.#cut(output);
  }

  /** Cancels all timers. */
  release(): void {
    this.#stopLinger();
    this.#cancelLongestLinger?.();
  }

  #cut(output: OutputName): void {
    // BEFORE the call, because the bytes that it hands over do not count any more.
    this.#open.delete(output);
    this.#options.cut(output);
  }

  #runLinger(): void {
    if (
      !this.#exited ||
      this.#options.waitsForHolders ||
      this.#cancelLinger !== undefined ||
      this.#paused.size > 0 ||
      this.#open.size === 0
    )
      return;
    this.#lingerSinceMs = this.#options.clock.nowMs();
    this.#cancelLinger = this.#options.clock.after(this.#lingerLeftMs, () => this.cutAll());
  }

  #stopLinger(): void {
    if (this.#cancelLinger === undefined) return;
    this.#cancelLinger();
    this.#cancelLinger = undefined;
    this.#lingerLeftMs = Math.max(0, this.#lingerLeftMs - (this.#options.clock.nowMs() - this.#lingerSinceMs));
  }
}
