/**
 * Types into a terminal through its master: in order, without blocking, and never into a descriptor that was closed and may belong to another file.
 * It knows nothing of the process.
 *
 * libuv's own writes to a master block the event loop, and no event tells when the master takes bytes again. So this writes until EAGAIN, tries again
 * in the next turns of the loop while the child reads, then at growing intervals.
 */
import { writeSync } from 'node:fs';
import type { StdinWriter } from './os-process.js';
import { errnoOf } from './program-path.js';
import type { TerminalInput } from './terminal-pair.js';

/** Bytes written before other work of the event loop gets its turn. */
const SLICE_BYTES = 262_144;
/** Attempts in successive turns after EAGAIN: a child that reads makes room within some tens of microseconds. */
const EAGER_ATTEMPTS = 40;
/**
 * First and longest interval of the attempts after that, in ms. A program that has not read for so long is slow itself. With a longest interval of 20
 * ms, 200 terminals that read nothing took a sixth of a core.
 */
const FIRST_RETRY_MS = 1;
const LAST_RETRY_MS = 250;
/** Attempts at one interval before it doubles. */
const ATTEMPTS_PER_INTERVAL = 2;

/** Characters that end or empty the line a terminal collects: interrupt, end-of-file, line feed, return, kill, suspend, quit. */
const LINE_ENDERS = new Set([3, 4, 10, 13, 21, 26, 28]);
/** End-of-file (control-D), used when the terminal's own setting cannot be read. */
const DEFAULT_END_OF_FILE = 4;

type Done = (error?: Error) => void;

interface Queued {
  readonly chunk: Buffer;
  readonly onDone: Done;
  offset: number;
}

export class PtyWriter implements StdinWriter {
  readonly #master: number;
  readonly #terminalInput: () => TerminalInput | undefined;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #lastByte = 10;
  #attempts = 0;
  #cancelRetry: (() => void) | undefined;
  #ending = false;
  #failure: Error | undefined;

  /**
   * @param master non-blocking; belongs to the caller: call `destroy` BEFORE it is closed
   * @param terminalInput the present settings of the terminal's input
   */
  constructor(master: number, terminalInput: () => TerminalInput | undefined) {
    this.#master = master;
    this.#terminalInput = terminalInput;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  write(chunk: Buffer, onDone: Done): void {
    const refusal = this.#failure ?? (this.#ending ? new Error('stdin is already closed') : undefined);
    if (refusal !== undefined) {
      process.nextTick(onDone, refusal);
      return;
    }
    this.#queue.push({ chunk, onDone, offset: 0 });
    this.#queuedBytes += chunk.length;
    if (this.#cancelRetry === undefined) this.#flush();
  }

  end(): void {
    if (this.#ending || this.#failure !== undefined) return;
    this.#ending = true;
    if (this.#queue.length === 0) this.#typeEndOfFile();
  }

  destroy(): void {
    this.#fail(new Error('stdin is closed: the terminal is gone'));
  }

  #flush(): void {
    this.#cancelRetry = undefined;
    for (let written = 0; ; ) {
      const head = this.#queue[0];
      if (head === undefined) return;
      if (head.offset < head.chunk.length) {
        let bytes: number;
        try {
          bytes = writeSync(this.#master, head.chunk, head.offset);
        } catch (error) {
          if (errnoOf(error) === 'EAGAIN') this.#retryLater();
          else this.#fail(error instanceof Error ? error : new Error(String(error)));
          return;
        }
        this.#attempts = 0;
        head.offset += bytes;
        this.#queuedBytes -= bytes;
        written += bytes;
        this.#lastByte = head.chunk[head.offset - 1] ?? this.#lastByte;
      }
      if (head.offset === head.chunk.length) this.#finishHead();
      if (written >= SLICE_BYTES && this.#queue.length > 0) {
        this.#retryNextTurn();
        return;
      }
    }
  }

  #finishHead(): void {
    const head = this.#queue.shift();
    if (head !== undefined) process.nextTick(head.onDone);
    if (this.#ending && this.#queue.length === 0 && head?.onDone !== ignore) this.#queueEndOfFile();
  }

  #typeEndOfFile(): void {
    this.#queueEndOfFile();
    this.#flush();
  }

  /**
   * At the start of a line one end-of-file is enough. After an unfinished line the first one only hands that line over, as a read without a line end;
   * the second one ends the input.
   */
  #queueEndOfFile(): void {
    const { endOfFile, byLine } = this.#terminalInput() ?? { endOfFile: DEFAULT_END_OF_FILE, byLine: true };
    const unfinishedLine = byLine && !LINE_ENDERS.has(this.#lastByte) && this.#lastByte !== endOfFile;
    const chunk = Buffer.alloc(unfinishedLine ? 2 : 1, endOfFile);
    this.#queue.push({ chunk, onDone: ignore, offset: 0 });
    this.#queuedBytes += chunk.length;
  }

  #retryLater(): void {
    const late = this.#attempts - EAGER_ATTEMPTS;
    this.#attempts += 1;
    if (late < 0) {
      this.#retryNextTurn();
      return;
    }
    const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.floor(late / ATTEMPTS_PER_INTERVAL));
    const timer = setTimeout(() => this.#flush(), delayMs);
    this.#cancelRetry = () => clearTimeout(timer);
  }

  /** Each handle has its own way to be cancelled: Node 20 miscounts when an immediate's is used on a timer. */
  #retryNextTurn(): void {
    const immediate = setImmediate(() => this.#flush());
    this.#cancelRetry = () => clearImmediate(immediate);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    const dropped = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const { onDone } of dropped) process.nextTick(onDone, this.#failure);
  }
}

function ignore(): void {}
