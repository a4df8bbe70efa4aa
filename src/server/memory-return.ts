/**
 * Gives memory back to the machine after a burst. V8 collects only when it needs memory, and a quiet server needs none, so half a gigabyte of output
 * would stay resident for good. Knows nothing of what the memory was for.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadLibc } from '../process/libc.js';

/** A look takes ten microseconds, and memory must be given back within a minute after a burst. */
const LOOK_EVERY_MS = 10_000;
/** Memory is given back when resident memory is above this many times the least ever seen… */
const MUCH = 1.2;
/** …and also above it by this much, because a young server grows by some megabytes. */
const MUCH_BYTES = 16 * 1024 * 1024;
/**
 * The wait after a collection, as a multiple of its duration. A collection stops the server for 10 to 30 ms and may free nothing, so at most a
 * thousandth of the time goes into collections.
 */
const WAIT_PER_COLLECTION = 1000;
/** The longest wait. On a very busy machine a collection takes long, and memory must still be given back within a minute. */
const LONGEST_WAIT_MS = 20_000;

export interface MemoryReturnOptions {
  /** Default: of this process; undefined if there is no /proc to read it from. */
  readonly residentBytes?: () => number | undefined;
  /** Default: a full collection, then the free lists of the C library. */
  readonly giveBack?: () => Promise<void>;
  readonly nowMs?: () => number;
}

/** Watches the resident memory of this process. */
export class MemoryReturn {
  readonly #residentBytes: () => number | undefined;
  readonly #giveBack: () => Promise<void>;
  readonly #nowMs: () => number;
  #leastBytes = Number.POSITIVE_INFINITY;
  #notBeforeMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: MemoryReturnOptions = {}) {
    this.#residentBytes = options.residentBytes ?? ownResidentBytes;
    this.#giveBack = options.giveBack ?? collectAndTrim;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  start(): void {
    // BEFORE the first work, because a burst that begins at once must not count as the least.
    this.#leastBytes = Math.min(this.#leastBytes, this.#residentBytes() ?? Number.POSITIVE_INFINITY);
    this.#timer ??= setInterval(() => void this.look(), LOOK_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Gives memory back if much can be given. @returns whether it tried */
  async look(): Promise<boolean> {
    const bytes = this.#residentBytes();
    if (bytes === undefined) return false;
    const startedAtMs = this.#nowMs();
    const isMuch = bytes > this.#leastBytes * MUCH && bytes > this.#leastBytes + MUCH_BYTES;
    this.#leastBytes = Math.min(this.#leastBytes, bytes);
    if (!isMuch || startedAtMs < this.#notBeforeMs) return false;
    await this.#giveBack();
    const endedAtMs = this.#nowMs();
    this.#notBeforeMs = endedAtMs + Math.min((endedAtMs - startedAtMs) * WAIT_PER_COLLECTION, LONGEST_WAIT_MS);
    return true;
  }
}

function ownResidentBytes(): number | undefined {
  try {
    return process.memoryUsage.rss();
  } catch {
    return undefined;
  }
}

let collect: (() => void) | undefined;

async function collectAndTrim(): Promise<void> {
  collect ??= collector();
  collect();
  (await loadLibc()).trimMemory?.();
}

/** V8 offers a collection only through its flags. No script of this program sees the function. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return gc;
}
