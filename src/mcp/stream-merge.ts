/** Puts standard output and standard error into one stream, in the order in which they come, without cutting a character in two. Knows no command. */
import type { StreamName } from '../../client/src/wire.js';
import { brokenEnd } from './whole-text.js';

const STREAMS: readonly StreamName[] = ['stdout', 'stderr'];
const NOTHING = Buffer.alloc(0);

/** Merges the two streams of one command. */
export class StreamMerge {
  /** The beginning of a character whose rest has not come. */
  readonly #waiting: Record<StreamName, Buffer> = { stdout: NOTHING, stderr: NOTHING };
  readonly #push: (bytes: Buffer) => void;

  /** @param push takes the merged bytes */
  constructor(push: (bytes: Buffer) => void) {
    this.#push = push;
  }

  push(stream: StreamName, bytes: Uint8Array): void {
    const all = Buffer.concat([this.#waiting[stream], bytes]);
    const wholeBytes = all.length - brokenEnd(all);
    // Copied, because the piece may be a part of a large one.
    this.#waiting[stream] = Buffer.from(all.subarray(wholeBytes));
    if (wholeBytes > 0) this.#push(all.subarray(0, wholeBytes));
  }

  /** Passes on what waits: nothing follows it. */
  end(): void {
    for (const stream of STREAMS) {
      const waiting = this.#waiting[stream];
      this.#waiting[stream] = NOTHING;
      if (waiting.length > 0) this.#push(waiting);
    }
  }
}
