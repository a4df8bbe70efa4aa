/**
 * Everything that goes out to one connection, in one order: replies, notifications and output deltas. Owns the water marks that pause
 * sources of output, and the bound on replies that a peer does not take. Knows nothing of what a message says.
 */
import type { EncodedMessage, MessageParts, Transport } from './transport.js';

/**
 * Bytes held for a connection at which its sources of output pause. One MiB keeps the kernel's socket buffer filled between two turns
 * of the loop (measured: 256 KiB costs a tenth of the throughput, 4 MiB gains nothing).
 */
export const HIGH_WATER_BYTES = 1024 * 1024;

/** From this many ranges on, ranges that were sent are removed. There are so many only if output comes between the replies. */
const SETTLE_FROM = 64;

/** Replies in a row with nothing between them, by their place among all bytes ever sent. */
interface OwedRange {
  from: number;
  to: number;
}

export interface OutboxOptions {
  /** Bytes of replies a peer may leave unread before {@link OutboxOptions.onOwedTooMuch}. */
  readonly maxOwedReplyBytes: number;
  /** The peer leaves too many replies unread. Called once. */
  readonly onOwedTooMuch: () => void;
}

/** The one ordered way out of a connection. */
export class Outbox {
  readonly #transport: Transport;
  readonly #options: OutboxOptions;
  /** Ranges of replies that the kernel had not taken completely at the last look. Mostly one, none when idle. */
  #owed: OwedRange[] = [];
  /** Sum of their lengths. */
  #owedBytes = 0;
  #settleAt = SETTLE_FROM;
  #owedTooMuch = false;
  /** Created when the first source waits: an idle connection has none. */
  #waiting: Set<() => void> | undefined;

  constructor(transport: Transport, options: OutboxOptions) {
    this.#transport = transport;
    this.#options = options;
  }

  /** Whether sources of output should pause. */
  get isFull(): boolean {
    return this.#transport.bufferedBytes >= HIGH_WATER_BYTES;
  }

  /** Bytes that the kernel has taken since the start. They grow while the peer reads. */
  get progressBytes(): number {
    return this.#transport.sentBytes - this.#transport.bufferedBytes;
  }

  /** Bytes that wait here. */
  get pendingBytes(): number {
    return this.#transport.bufferedBytes;
  }

  /** Calls back once when there is room again. A function that is added twice is called once. */
  whenWritable(callback: () => void): void {
    this.#waiting ??= new Set();
    this.#waiting.add(callback);
  }

  /** Cancels {@link whenWritable}. */
  forget(callback: () => void): void {
    this.#waiting?.delete(callback);
  }

  /** Sends a notification or a request of the server's own. */
  send(text: string): void {
    this.#transport.send(text);
  }

  /** Sends output; the caller looks at {@link isFull} afterwards and pauses its source. */
  sendEncoded(message: EncodedMessage): void {
    this.#transport.sendEncoded(message);
  }

  /** Sends a reply, which counts against the bound on unread replies. */
  reply(text: string): void {
    if (this.#refuses()) return;
    const sentBefore = this.#transport.sentBytes;
    this.#transport.send(text);
    this.#owe(sentBefore);
  }

  /** Sends a reply in pieces. */
  replyParts(parts: MessageParts): void {
    if (this.#refuses()) return;
    const sentBefore = this.#transport.sentBytes;
    this.#transport.sendParts(parts);
    this.#owe(sentBefore);
  }

  /** To be called when the transport has handed everything on. */
  drained(): void {
    this.#settleOwed();
    const callbacks = this.#waiting;
    if (callbacks === undefined) return;
    this.#waiting = undefined;
    for (const callback of callbacks) callback();
  }

  /** One reply of any size may wait; the next one finds the bound exceeded. */
  #refuses(): boolean {
    if (this.#owedBytes <= this.#options.maxOwedReplyBytes) return this.#owedTooMuch;
    this.#settleOwed();
    if (this.#owedBytes <= this.#options.maxOwedReplyBytes || this.#owedTooMuch) return this.#owedTooMuch;
    this.#owedTooMuch = true;
    this.#options.onOwedTooMuch();
    return true;
  }

  #owe(from: number): void {
    const to = this.#transport.sentBytes;
    const last = this.#owed.at(-1);
    if (last?.to === from) last.to = to;
    else this.#owed.push({ from, to });
    this.#owedBytes += to - from;
    if (this.#owed.length >= this.#settleAt) this.#settleOwed();
  }

  #settleOwed(): void {
    const taken = this.progressBytes;
    this.#owed = this.#owed.filter(({ to }) => to > taken);
    const first = this.#owed[0];
    if (first !== undefined && first.from < taken) first.from = taken;
    this.#owedBytes = this.#owed.reduce((sum, { from, to }) => sum + to - from, 0);
    // Twice as many as are left, so that the cost of looking stays the same for each reply, however many are unread.
    this.#settleAt = Math.max(SETTLE_FROM, this.#owed.length * 2);
  }
}
