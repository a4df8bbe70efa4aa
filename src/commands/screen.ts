/**
 * The picture on a command's terminal at any offset of its output. Output that leaves the log is parsed by a terminal without a window; the rest is
 * parsed when an image is asked for. Works in slices, one at a time for all terminals, so that the event loop is not held up. Knows no viewer.
 */
import type { TerminalSize } from '../process/os-process.js';
import type { ForgottenBytes } from './output/forgotten-bytes.js';
import type { OutputLog } from './output/log.js';
import type { HeadlessTerminal } from './screen-terminal.js';

/** Bytes parsed in one go: about a millisecond (28 to 34 MB/s). */
const SLICE_BYTES = 32 * 1024;
/** Bytes that may wait to be parsed before the source waits: some ten milliseconds of work. The bytes of one image are not counted. */
const MAX_PENDING_BYTES = 256 * 1024;
/** Bytes read from a log in one piece. */
const PIECE_BYTES = 64 * 1024;
/** Resizes that are remembered until the output before them is parsed. */
const MAX_RESIZES = 1000;

/** What a terminal shows. */
export interface ScreenImage {
  /** Offset in the output after which live output goes on. */
  readonly offset: number;
  readonly size: TerminalSize;
  /** Written to an empty terminal of that size, they show the same. */
  readonly bytes: Buffer;
  readonly isAlternate: boolean;
  readonly title: string | undefined;
  /** Whether all output since the start is in it. */
  readonly isComplete: boolean;
}

/** Makes a terminal; the first call loads the library. */
export type MakeTerminal = (size: TerminalSize) => Promise<HeadlessTerminal>;

/** Runs one piece of work after the other, with a turn of the event loop between two. */
export class FoldTurns {
  #last: Promise<void> = Promise.resolve();

  run(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work).then(() => new Promise<void>((resolve) => setImmediate(resolve)));
    this.#last = turn.catch(() => {});
    return turn;
  }
}

type Step =
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly isOfImage: boolean }
  | { readonly kind: 'resize'; readonly size: TerminalSize }
  | { readonly kind: 'anew' }
  | {
      readonly kind: 'image';
      readonly offset: number;
      readonly resolve: (image: ScreenImage) => void;
      readonly reject: (error: unknown) => void;
    };

export interface CommandScreenOptions {
  readonly log: OutputLog;
  readonly size: TerminalSize;
  readonly makeTerminal: MakeTerminal;
  readonly turns: FoldTurns;
  /** Whether output that leaves the log is parsed. Otherwise an image shows only what is still in the log. */
  readonly folds: boolean;
}

export class CommandScreen implements ForgottenBytes {
  pendingBytes = 0;
  onRoom: (() => void) | undefined;
  readonly #options: CommandScreenOptions;
  #size: TerminalSize;
  #resizes: { readonly offset: number; readonly size: TerminalSize }[] = [];
  /** Offset after the last byte that is parsed or waits for it. */
  #queuedTo = 0;
  #steps: Step[] = [];
  /** Part of the pending bytes that was queued for an image. It must not slow the command. */
  #imageBytes = 0;
  #terminal: HeadlessTerminal | undefined;
  #isWorking = false;
  #isDisposed = false;
  /** Why no further image can be made. */
  #failure: { readonly error: unknown } | undefined;

  constructor(options: CommandScreenOptions) {
    this.#options = options;
    this.#size = options.size;
    if (options.folds) options.log.forgetInto(this);
  }

  get isFull(): boolean {
    return this.pendingBytes - this.#imageBytes >= MAX_PENDING_BYTES;
  }

  take(bytes: Buffer, offset: number): void {
    const from = Math.max(offset, this.#queuedTo);
    if (from >= offset + bytes.length || this.#isDisposed || this.#failure !== undefined) return;
    this.#queue(Buffer.from(bytes.subarray(from - offset)), { from, isOfImage: false });
    void this.#work();
  }

  /** The terminal has another size from here on. */
  resize(size: TerminalSize): void {
    if (this.#failure !== undefined) return;
    const offset = this.#options.log.next;
    if (this.#resizes.at(-1)?.offset === offset) this.#resizes.pop();
    this.#resizes.push({ offset, size });
    if (this.#resizes.length > MAX_RESIZES) this.#queueLog(offset, false);
    void this.#work();
  }

  /** The picture at the present end of the log. @throws {Error} when no terminal can be made, or its library fails */
  image(): Promise<ScreenImage> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    const { log } = this.#options;
    if (!this.#options.folds && this.#queuedTo < log.oldest) this.#startAnew(log.oldest);
    const offset = log.next;
    // A second image before the first is drawn counts like forgotten output, so that memory stays bounded.
    this.#queueLog(offset, this.#imageBytes === 0);
    return new Promise((resolve, reject) => {
      this.#steps.push({ kind: 'image', offset, resolve, reject });
      void this.#work();
    });
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#abandon(new Error('the command was forgotten'));
  }

  #startAnew(offset: number): void {
    this.#steps.push({ kind: 'anew' });
    this.#queuedTo = offset;
  }

  #disposeTerminal(): void {
    this.#terminal?.dispose();
    this.#terminal = undefined;
  }

  #abandon(error: unknown): void {
    const steps = this.#steps;
    this.#steps = [];
    this.#resizes = [];
    this.pendingBytes = 0;
    this.#imageBytes = 0;
    // A terminal that is disposed of while it parses never reports the end of its work. `#work` disposes of it after the step.
    if (!this.#isWorking) this.#disposeTerminal();
    for (const step of steps) if (step.kind === 'image') step.reject(error);
  }

  #queueLog(to: number, isOfImage: boolean): void {
    const { log } = this.#options;
    while (this.#queuedTo < to) {
      const piece = log.peek(this.#queuedTo, Math.min(PIECE_BYTES, to - this.#queuedTo));
      if (piece.length === 0) break;
      this.#queue(Buffer.from(piece), { from: this.#queuedTo, isOfImage });
    }
    this.#queueResizes(to);
  }

  /** Puts bytes in the queue, with the resizes that came between them. */
  #queue(bytes: Buffer, { from, isOfImage }: { from: number; isOfImage: boolean }): void {
    let at = from;
    const end = from + bytes.length;
    for (let next = this.#resizes[0]; next !== undefined && next.offset < end; next = this.#resizes[0]) {
      if (next.offset > at) this.#queueBytes(bytes.subarray(at - from, next.offset - from), isOfImage);
      at = Math.max(at, next.offset);
      this.#queueResizes(next.offset);
    }
    this.#queueBytes(bytes.subarray(at - from), isOfImage);
    this.#queuedTo = end;
  }

  #queueBytes(bytes: Buffer, isOfImage: boolean): void {
    for (let from = 0; from < bytes.length; from += SLICE_BYTES) {
      const slice = bytes.subarray(from, from + SLICE_BYTES);
      this.#steps.push({ kind: 'bytes', bytes: slice, isOfImage });
      this.pendingBytes += slice.length;
      if (isOfImage) this.#imageBytes += slice.length;
    }
  }

  #queueResizes(to: number): void {
    for (let next = this.#resizes[0]; next !== undefined && next.offset <= to; next = this.#resizes[0]) {
      this.#resizes.shift();
      this.#steps.push({ kind: 'resize', size: next.size });
    }
  }

  async #work(): Promise<void> {
    if (this.#isWorking || this.#steps.length === 0) return;
    this.#isWorking = true;
    try {
      while (this.#steps.length > 0) await this.#options.turns.run(() => this.#doNext());
    } catch (error) {
      // The command goes on; only requests for its screen fail.
      this.#failure = { error };
      this.#abandon(error);
      this.onRoom?.();
    }
    this.#isWorking = false;
    if (this.#isDisposed || this.#failure !== undefined) this.#disposeTerminal();
  }

  /** A step stays in the queue until it is done, so that it is refused with the others if there is no terminal. */
  async #doNext(): Promise<void> {
    this.#terminal ??= await this.#options.makeTerminal(this.#size);
    const terminal = this.#terminal;
    const step = this.#steps[0];
    // All steps may have been cancelled meanwhile.
    if (step === undefined) return;
    if (step.kind === 'anew') {
      this.#disposeTerminal();
    } else if (step.kind === 'resize') {
      this.#size = step.size;
      terminal.resize(step.size);
    } else if (step.kind === 'image') {
      step.resolve({ offset: step.offset, size: this.#size, isComplete: this.#options.folds, ...terminal.picture() });
    } else {
      await terminal.write(step.bytes);
    }
    if (this.#steps[0] !== step) return;
    this.#steps.shift();
    if (step.kind !== 'bytes') return;
    this.pendingBytes -= step.bytes.length;
    if (step.isOfImage) this.#imageBytes -= step.bytes.length;
    this.onRoom?.();
  }
}
