/**
 * The picture on a command's terminal at any offset of its output: what leaves the log is folded into a terminal without a window, and the
 * rest when an image is asked for. Works in slices, one at a time for all terminals, so that no event loop waits long. Knows no viewer.
 */
import type { TerminalSize } from '../process/os-process.js';
import type { ForgottenBytes, OutputLog } from './output/log.js';
import type { HeadlessTerminal } from './screen-terminal.js';

/** Bytes parsed without giving way: about a millisecond (28 to 34 MB/s). */
const SLICE_BYTES = 32 * 1024;
/** Bytes that may wait to be folded before the source waits: some ten milliseconds of work. */
const MAX_PENDING_BYTES = 256 * 1024;
/** Bytes read from a log in one piece. */
const PIECE_BYTES = 64 * 1024;
/** Resizes remembered until the output before them is folded. */
const MAX_RESIZES = 1000;

/** What a terminal shows. */
export interface ScreenImage {
  /** Offset in the output behind which live output goes on. */
  readonly offset: number;
  readonly size: TerminalSize;
  /** Written to an empty terminal of that size they show the same. */
  readonly bytes: Buffer;
  readonly isAlternate: boolean;
  readonly title: string | undefined;
  /** Whether all output since the start is in it. */
  readonly isComplete: boolean;
}

/** Makes a terminal; the library is loaded by the first. */
export type MakeTerminal = (size: TerminalSize) => Promise<HeadlessTerminal>;

/** Lets one piece of work after the other run, with a turn of the event loop between two. */
export class FoldTurns {
  #last: Promise<void> = Promise.resolve();

  run(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work).then(() => new Promise<void>((resolve) => setImmediate(resolve)));
    this.#last = turn.catch(() => {});
    return turn;
  }
}

type Step =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'resize'; readonly size: TerminalSize }
  | { readonly kind: 'image'; readonly offset: number; readonly resolve: (image: ScreenImage) => void };

export interface CommandScreenOptions {
  readonly log: OutputLog;
  readonly size: TerminalSize;
  readonly makeTerminal: MakeTerminal;
  readonly turns: FoldTurns;
  /** Whether what leaves the log is folded. Without that an image knows only what is still in the log. */
  readonly folds: boolean;
}

export class CommandScreen implements ForgottenBytes {
  pendingBytes = 0;
  onRoom: (() => void) | undefined;
  readonly #options: CommandScreenOptions;
  #size: TerminalSize;
  #resizes: { readonly offset: number; readonly size: TerminalSize }[] = [];
  /** Offset behind the last byte that is folded or waits for it. */
  #queuedTo = 0;
  #steps: Step[] = [];
  #terminal: HeadlessTerminal | undefined;
  #isWorking = false;
  #isDisposed = false;

  constructor(options: CommandScreenOptions) {
    this.#options = options;
    this.#size = options.size;
    if (options.folds) options.log.forgetInto(this);
  }

  get isFull(): boolean {
    return this.pendingBytes >= MAX_PENDING_BYTES;
  }

  take(bytes: Buffer, offset: number): void {
    const from = Math.max(offset, this.#queuedTo);
    if (from >= offset + bytes.length || this.#isDisposed) return;
    this.#queue(Buffer.from(bytes.subarray(from - offset)), from);
    void this.#work();
  }

  /** The terminal has another size from here on. */
  resize(size: TerminalSize): void {
    const offset = this.#options.log.next;
    if (this.#resizes.at(-1)?.offset === offset) this.#resizes.pop();
    this.#resizes.push({ offset, size });
    if (this.#resizes.length > MAX_RESIZES) this.#queueLog(offset);
    void this.#work();
  }

  /** What the terminal shows at the present end of the log. */
  image(): Promise<ScreenImage> {
    const { log } = this.#options;
    if (!this.#options.folds && this.#queuedTo < log.oldest) this.#startAnew(log.oldest);
    const offset = log.next;
    this.#queueLog(offset);
    return new Promise((resolve) => {
      this.#steps.push({ kind: 'image', offset, resolve });
      void this.#work();
    });
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#steps = [];
    this.#terminal?.dispose();
    this.#terminal = undefined;
  }

  #startAnew(offset: number): void {
    this.#terminal?.dispose();
    this.#terminal = undefined;
    this.#queuedTo = offset;
  }

  #queueLog(to: number): void {
    const { log } = this.#options;
    while (this.#queuedTo < to) {
      const piece = log.peek(this.#queuedTo, Math.min(PIECE_BYTES, to - this.#queuedTo));
      if (piece.length === 0) break;
      this.#queue(Buffer.from(piece), this.#queuedTo);
    }
    this.#queueResizes(to);
  }

  /** Puts bytes in the queue, with the resizes that came between them. */
  #queue(bytes: Buffer, from: number): void {
    let at = from;
    const end = from + bytes.length;
    for (let next = this.#resizes[0]; next !== undefined && next.offset < end; next = this.#resizes[0]) {
      if (next.offset > at) this.#queueBytes(bytes.subarray(at - from, next.offset - from));
      at = Math.max(at, next.offset);
      this.#queueResizes(next.offset);
    }
    this.#queueBytes(bytes.subarray(at - from));
    this.#queuedTo = end;
  }

  #queueBytes(bytes: Buffer): void {
    for (let from = 0; from < bytes.length; from += SLICE_BYTES) {
      const slice = bytes.subarray(from, from + SLICE_BYTES);
      this.#steps.push({ kind: 'bytes', bytes: slice });
      this.pendingBytes += slice.length;
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
    while (this.#steps.length > 0) {
      await this.#options.turns.run(async () => {
        const step = this.#steps.shift();
        if (step !== undefined) await this.#do(step);
      });
    }
    this.#isWorking = false;
  }

  async #do(step: Step): Promise<void> {
    this.#terminal ??= await this.#options.makeTerminal(this.#size);
    // It may have been disposed of meanwhile.
    if (this.#isDisposed) return this.dispose();
    const terminal = this.#terminal;
    if (step.kind === 'resize') {
      this.#size = step.size;
      terminal.resize(step.size);
    } else if (step.kind === 'image') {
      step.resolve({ offset: step.offset, size: this.#size, isComplete: this.#options.folds, ...terminal.picture() });
    } else {
      await terminal.write(step.bytes);
      this.pendingBytes -= step.bytes.length;
      this.onRoom?.();
    }
  }
}
