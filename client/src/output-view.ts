/** The queue of one reader of a command's output. Knows no other reader and no wire. */
import type { OutputChunk } from './capture.js';
import { Change } from './change.js';
import type { StreamName } from './wire.js';

/** Output that a reader leaves unread before it is given up, on servers that cannot wait for it (no windows): 64 MiB. */
const UNREAD_LIMIT_BYTES = 64 * 1024 * 1024;

/** One reader's queue. */
export class OutputView {
  /** Bytes of live output that this reader has not taken. */
  readonly unread = { stdout: 0, stderr: 0 };
  readonly #streams: readonly StreamName[];
  readonly #onTaken: (stream: StreamName) => void;
  readonly #isBounded: () => boolean;
  #queue: OutputChunk[];
  /** Pieces at the start of the queue that came before the reader began; they do not hold the server back. */
  #old: number;
  readonly #change = new Change();
  #hasEnded = false;
  #failure: Error | undefined;

  /** @param onTaken the reader took bytes of a stream @param isBounded whether the server waits for a reader that stops */
  constructor(
    streams: readonly StreamName[],
    history: readonly OutputChunk[],
    onTaken: (stream: StreamName) => void,
    isBounded: () => boolean,
  ) {
    this.#streams = streams;
    this.#queue = [...history];
    this.#old = history.length;
    this.#onTaken = onTaken;
    this.#isBounded = isBounded;
  }

  push(chunk: OutputChunk): void {
    const { stream, bytes } = chunk;
    if (this.#hasEnded || this.#failure !== undefined || !this.#streams.includes(stream)) return;
    this.#queue.push(chunk);
    this.unread[stream] += bytes.length;
    if (this.unread[stream] > UNREAD_LIMIT_BYTES && !this.#isBounded()) this.#fail();
    this.#change.happen();
  }

  end(): void {
    this.#hasEnded = true;
    this.#change.happen();
  }

  /** The next piece; undefined at the end. @throws {Error} when output was dropped because this reader stood still */
  async next(): Promise<OutputChunk | undefined> {
    for (;;) {
      const chunk = this.#queue.shift();
      if (chunk !== undefined) return this.#take(chunk);
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#hasEnded) return undefined;
      await this.#change.wait();
    }
  }

  /** Everything of some streams; the rest is forgotten. */
  take(streams: readonly StreamName[]): OutputChunk[] {
    const taken = this.#queue;
    this.#clear();
    return taken.filter(({ stream }) => streams.includes(stream));
  }

  #take(chunk: OutputChunk): OutputChunk {
    this.#old -= 1;
    if (this.#old < 0) {
      this.unread[chunk.stream] -= chunk.bytes.length;
      this.#onTaken(chunk.stream);
    }
    return chunk;
  }

  #fail(): void {
    this.#failure = new Error('A reader stopped; output was dropped');
    this.#clear();
  }

  #clear(): void {
    this.#old = 0;
    this.#queue = [];
    Object.assign(this.unread, { stdout: 0, stderr: 0 });
  }
}
