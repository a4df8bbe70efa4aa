/**
 * Which outputs of a command are open, which of them stand still for a slow viewer, and how long they are read after the exit of the process.
 * Knows neither what is done with the bytes nor how a process ends.
 *
 * What a process wrote before its exit is always read. A background child may hold a stream open and go on writing: the stream is cut when
 * it was read for 2 s, at 1 MiB, or 10 s after the exit, whatever comes first. A cut still takes what the kernel holds at that moment.
 */
import type { OutputName } from '../../process/os-process.js';
import type { CancelTimer, Clock } from '../clock.js';

/** How long the end of output may lag behind the exit; stands still while an output is paused. @see PROTOCOL "command/exec" */
export const LINGER_MS = 2000;
/** The longest an output is read after the exit, paused or not: a slow viewer must not keep a background child writing for hours. */
export const LONGEST_LINGER_MS = 10_000;
/** Bytes read from one output after the exit before it is cut. A pipe holds no more than this (/proc/sys/fs/pipe-max-size), so they contain all that was there. */
export const LINGER_BYTES = 1024 * 1024;

export interface OutputFlowOptions {
  readonly clock: Clock;
  /** Takes what the kernel holds of one output and closes it. */
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

  /** Milliseconds in which an output stood still. */
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

  /** Counts bytes that were read. To be called after they were handed on. */
  took(output: OutputName, bytes: number): void {
    if (!this.#exited) return;
    this.#bytesSinceExit[output] += bytes;
    if (this.#bytesSinceExit[output] >= LINGER_BYTES && this.#open.has(output)) this.#cut(output);
  }

  /** An output has ended. */
  close(output: OutputName): void {
    this.#open.delete(output);
    this.resume(output);
  }

  /** The process has ended: what holds its outputs open from now on has to hurry. */
  exited(): void {
    this.#exited = true;
    if (this.#open.size === 0) return;
    this.#cancelLongestLinger = this.#options.clock.after(LONGEST_LINGER_MS, () => this.cutAll());
    this.#runLinger();
  }

  /** Nobody waits for output any more: no reason to wait for those who hold it. */
  abandon(): void {
    this.#lingerLeftMs = 0;
    this.resumeAll();
    if (this.#exited) this.cutAll();
  }

  cutAll(): void {
    for (const output of [...this.#open]) this.#cut(output);
  }

  /** Takes all timers back. */
  release(): void {
    this.#stopLinger();
    this.#cancelLongestLinger?.();
  }

  #cut(output: OutputName): void {
    // BEFORE the call, which hands over what the kernel holds: that counts for nothing any more.
    this.#open.delete(output);
    this.#options.cut(output);
  }

  #runLinger(): void {
    if (!this.#exited || this.#cancelLinger !== undefined || this.#paused.size > 0 || this.#open.size === 0) return;
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
