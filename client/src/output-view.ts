/** The queue of one reader of a command's output. Knows no other reader and no wire. */
import type { OutputChunk } from './capture.js';
import { Change } from './change.js';
import type { StreamName } from './wire.js';

/** Output that a reader leaves unread before it is given up, on servers that cannot wait for it (no windows): 64 MiB. */
const UNREAD_LIMIT_BYTES = 64 * 1024 * 1024;

interface Queued {
  readonly chunk: OutputChunk;
  /** Whether it came after the reader began; only such bytes hold the server back. */
  readonly isLive: boolean;
}

export interface OutputViewHooks {
  /** The reader took bytes of a stream. */
  readonly onTaken: (stream: StreamName) => void;
  /** Whether the server waits for a reader that stops. */
  readonly isBounded: () => boolean;
}

/** One reader's queue. */
export class OutputView {
  /** Bytes of live output that this reader has not taken. */
  readonly unread = { stdout: 0, stderr: 0 };
  readonly #streams: readonly StreamName[];
  readonly #hooks: OutputViewHooks;
  #queue: Queued[];
  readonly #change = new Change();
  #hasEnded = false;
  #failure: Error | undefined;

  constructor(streams: readonly StreamName[], history: readonly OutputChunk[], hooks: OutputViewHooks) {
    this.#streams = streams;
    this.#queue = history.map((chunk) => ({ chunk, isLive: false }));
    this.#hooks = hooks;
  }

  push(chunk: OutputChunk): void {
    const { stream, bytes } = chunk;
    if (this.#hasEnded || this.#failure !== undefined || !this.#streams.includes(stream)) return;
    this.#queue.push({ chunk, isLive: true });
    this.unread[stream] += bytes.length;
    if (this.unread[stream] > UNREAD_LIMIT_BYTES && !this.#hooks.isBounded()) this.#fail();
    this.#change.happen();
  }

  end(): void {
    this.#hasEnded = true;
    this.#change.happen();
  }

  /** The next piece; undefined at the end. @throws {Error} when output was dropped because this reader stood still */
  async next(): Promise<OutputChunk | undefined> {
    for (;;) {
      const queued = this.#queue.shift();
      if (queued !== undefined) return this.#take(queued);
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#hasEnded) return undefined;
      await this.#change.wait();
    }
  }

  /** Everything of some streams; the rest is forgotten. */
  take(streams: readonly StreamName[]): OutputChunk[] {
    const taken = this.#queue.map(({ chunk }) => chunk);
    this.#clear();
    return taken.filter(({ stream }) => streams.includes(stream));
  }

  #take({ chunk, isLive }: Queued): OutputChunk {
    if (isLive) {
      this.unread[chunk.stream] -= chunk.bytes.length;
      this.#hooks.onTaken(chunk.stream);
    }
    return chunk;
  }

  #fail(): void {
    this.#failure = new Error('A reader stopped, and output was dropped');
    this.#clear();
  }

  #clear(): void {
    this.#queue = [];
    this.unread.stdout = 0;
    this.unread.stderr = 0;
  }
}
