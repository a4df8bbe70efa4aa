/**
 * A connection whose two ends are in the same process: texts go from one to the other without a socket. Knows no JSON, and not who is at the other
 * end.
 *
 * What the server sends is delivered in a turn of the loop of its own, so that neither end is called while it calls the other, and counts as held
 * until then.
 */
import { closeCodes } from '../protocol/close-codes.js';
import {
  type EncodedMessage,
  MESSAGE_HEADROOM_BYTES,
  type MessageParts,
  type Transport,
  type TransportListener,
} from './transport.js';

/** The other end: takes what the server sends. */
export interface InProcessPeer {
  onText(text: string): void;
  /** The connection has ended; nothing follows. */
  onClose(code: number, reason: string): void;
}

interface Held {
  readonly text: string;
  readonly bytes: number;
  readonly onSent: (() => void) | undefined;
}

/** The server's end; its peer uses `say`, `leave` and `drop`. */
export class InProcessTransport implements Transport {
  readonly kind = 'memory';
  bufferedBytes = 0;
  sentBytes = 0;
  receivedBytes = 0;
  receivedMessages = 0;
  readonly #peer: InProcessPeer;
  #listener: TransportListener | undefined;
  #held: Held[] = [];
  #isScheduled = false;
  /** Messages of the peer that came while the server was paused. */
  #waiting: Buffer[] = [];
  #isPaused = false;
  #closing: { readonly code: number; readonly reason: string } | undefined;
  #hasEnded = false;

  constructor(peer: InProcessPeer) {
    this.#peer = peer;
  }

  open(listener: TransportListener): void {
    this.#listener = listener;
  }

  send(text: string): void {
    this.#hold(text, Buffer.byteLength(text), undefined);
  }

  sendEncoded({ buffer, textBytes, onSent }: EncodedMessage): void {
    const text = buffer.toString('utf8', MESSAGE_HEADROOM_BYTES, MESSAGE_HEADROOM_BYTES + textBytes);
    this.#hold(text, textBytes, onSent);
  }

  sendParts(parts: MessageParts): void {
    const whole = Buffer.concat(parts);
    this.#hold(whole.toString('utf8'), whole.length, undefined);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#schedule();
  }

  /** The peer lives as long as this process. */
  ping(): void {
    this.receivedMessages += 1;
    this.receivedBytes += 1;
  }

  close(code: number, reason: string): void {
    this.#closing ??= { code, reason };
    this.#schedule();
  }

  abort(): void {
    this.#end(closeCodes.internalError, 'aborted');
  }

  // From here on: what the peer does.

  /** Sends a message to the server. @throws {Error} when the connection has ended */
  say(text: string): void {
    if (this.#hasEnded) throw new Error('the connection has ended');
    const message = Buffer.from(text);
    this.receivedBytes += message.length;
    this.receivedMessages += 1;
    if (this.#isPaused || this.#waiting.length > 0) this.#waiting.push(message);
    else this.#listener?.onMessage(message);
  }

  /** Ends the connection in order: what was said before is served first. */
  leave(code: number, reason: string): void {
    if (!this.#hasEnded) this.#listener?.onClosing(() => this.close(code, reason));
  }

  /** Ends the connection at once. */
  drop(): void {
    this.#end(closeCodes.done, 'dropped');
  }

  #hold(text: string, bytes: number, onSent: (() => void) | undefined): void {
    if (this.#hasEnded || this.#closing !== undefined) return;
    this.sentBytes += bytes;
    this.bufferedBytes += bytes;
    this.#held.push({ text, bytes, onSent });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#hasEnded) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    const held = this.#held;
    this.#held = [];
    for (const { text, bytes, onSent } of held) {
      if (this.#hasEnded) return;
      this.bufferedBytes -= bytes;
      this.#peer.onText(text);
      onSent?.();
    }
    if (held.length > 0 && !this.#hasEnded) this.#listener?.onDrain();
    while (!this.#isPaused && !this.#hasEnded) {
      const message = this.#waiting.shift();
      if (message === undefined) break;
      this.#listener?.onMessage(message);
    }
    if (this.#held.length > 0) this.#schedule();
    else if (this.#closing !== undefined) this.#end(this.#closing.code, this.#closing.reason);
  }

  #end(code: number, reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#held = [];
    this.#waiting = [];
    this.bufferedBytes = 0;
    this.#listener?.onClose(code);
    this.#peer.onClose(code, reason);
  }
}
