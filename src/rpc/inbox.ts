/**
 * Messages of one connection that wait for their turn. A peer that sends thousands of requests at once gets a slice of each turn of the event loop,
 * so that it cannot starve other connections. Knows nothing of what a message says.
 */

/**
 * Milliseconds for which one connection may have messages served in one turn of the loop. One spawn takes that long, or some hundred small requests.
 * So the p99 of other connections stays within a few milliseconds beside a flood.
 */
const SLICE_MS = 1;

export interface InboxOptions {
  readonly deliver: (message: Buffer) => void;
  /** Stops the transport while messages wait, so that at most the messages of one read wait. */
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

  /** Delivers the message now if no other waits and the slice has room; queues it otherwise. */
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

  /** Calls back once no message waits; at once if none does; never after {@link close}. */
  whenEmpty(callback: () => void): void {
    if (this.#closed) return;
    if (this.#queue.length === 0) callback();
    else this.#onEmpty = callback;
  }

  /** Drops waiting messages; nothing is delivered any more. */
  close(): void {
    this.#closed = true;
    this.#queue = [];
    this.#head = 0;
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
  }

  /** The slice lasts until the loop has come round once, even if more messages come in. */
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
