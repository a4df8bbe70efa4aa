/**
 * Messages of one connection that wait for their turn. A peer that sends thousands of requests in one go gets a slice of each turn of
 * the event loop and not the whole of it, so that it cannot starve the others. Knows nothing of what a message says.
 */

/**
 * Milliseconds one connection may work off messages in one turn of the loop. One spawn fills it; some hundred small requests do.
 * Keeps the p99 of others within a few milliseconds beside a flood.
 */
const SLICE_MS = 1;

export interface InboxOptions {
  readonly deliver: (message: Buffer) => void;
  /** Stops the transport while messages wait, so that no more than one read's worth of them ever does. */
  readonly pause: () => void;
  readonly resume: () => void;
}

/** Passes messages on in order, a slice of time per turn. */
export class Inbox {
  readonly #options: InboxOptions;
  #queue: Buffer[] = [];
  #head = 0;
  #sliceEndsAt = 0;
  #scheduled: NodeJS.Immediate | undefined;
  #closed = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Delivers now when nothing waits and the slice has room, else queues. */
  push(message: Buffer): void {
    if (this.#closed) return;
    if (this.#scheduled !== undefined && (this.#queue.length > 0 || this.#isSpent())) {
      this.#queue.push(message);
      if (this.#queue.length === 1) this.#options.pause();
      return;
    }
    if (this.#scheduled === undefined) this.#openSlice();
    this.#options.deliver(message);
  }

  /** Calls back once when nothing waits, at once if nothing does; never after {@link close}. */
  whenEmpty(callback: () => void): void {
    if (this.#closed) return;
    if (this.#queue.length === 0) callback();
    else this.#onEmpty = callback;
  }

  /** Forgets what waits; nothing is delivered any more. */
  close(): void {
    this.#closed = true;
    this.#queue = [];
    this.#head = 0;
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
  }

  /** The slice lasts until the loop has come round once, whatever comes in meanwhile. */
  #openSlice(): void {
    this.#sliceEndsAt = performance.now() + SLICE_MS;
    this.#scheduled = setImmediate(() => this.#nextTurn());
  }

  #isSpent(): boolean {
    return performance.now() >= this.#sliceEndsAt;
  }

  #nextTurn(): void {
    this.#scheduled = undefined;
    if (this.#queue.length === 0) return;
    this.#openSlice();
    while (this.#head < this.#queue.length) {
      const message = this.#queue[this.#head];
      this.#head += 1;
      if (message !== undefined) this.#options.deliver(message);
      if (this.#closed) return;
      if (this.#head < this.#queue.length && this.#isSpent()) return;
    }
    this.#queue = [];
    this.#head = 0;
    this.#options.resume();
    const callback = this.#onEmpty;
    this.#onEmpty = undefined;
    callback?.();
  }
}
