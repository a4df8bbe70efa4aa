/** A transport without a wire: the server's messages arrive at once, and the peer decides when it reads. Knows no JSON-RPC rule. */
import {
  type EncodedMessage,
  MESSAGE_HEADROOM_BYTES,
  type MessageParts,
  type Transport,
  type TransportListener,
} from '../../src/rpc/transport.js';
import { settled } from './fake-process.js';

/** A message as the peer sees it. */
export type Json = Record<string, unknown>;

interface Held {
  readonly text: string;
  readonly bytes: number;
  readonly onSent: (() => void) | undefined;
}

/** Both ends of one connection in memory. */
export class MemoryTransport implements Transport {
  readonly kind = 'memory';
  /** Texts that the peer has read, in order. */
  readonly texts: string[] = [];
  /** Calls of the server to its transport, in order: `pause`, `resume`, `ping`, `abort`, `close 1008 reason`. */
  readonly calls: string[] = [];
  bufferedBytes = 0;
  sentBytes = 0;
  receivedBytes = 0;
  receivedMessages = 0;
  #listener: TransportListener | undefined;
  #held: Held[] = [];
  #reads = true;
  #ended = false;
  #isPaused = false;
  #waiting: { matches: (message: Json) => boolean; resolve: (message: Json) => void }[] = [];

  open(listener: TransportListener): void {
    this.#listener = listener;
  }

  send(text: string): void {
    this.#hold(text, undefined);
  }

  sendEncoded(message: EncodedMessage): void {
    const end = MESSAGE_HEADROOM_BYTES + message.textBytes;
    this.#hold(message.buffer.toString('utf8', MESSAGE_HEADROOM_BYTES, end), message.onSent);
  }

  sendParts(parts: MessageParts): void {
    this.#hold(Buffer.concat(parts).toString('utf8'), undefined);
  }

  pause(): void {
    this.#isPaused = true;
    this.calls.push('pause');
  }

  resume(): void {
    this.#isPaused = false;
    this.calls.push('resume');
  }

  ping(): void {
    this.calls.push('ping');
  }

  close(code: number, reason: string): void {
    // A connection that closes takes no more messages, so it does not resume.
    this.#isPaused = false;
    this.calls.push(`close ${code} ${reason}`);
  }

  abort(): void {
    this.calls.push('abort');
    this.leave(1006);
  }

  // From here on: actions of the peer.

  /** Sends a message, or a text unchanged. */
  say(message: Json | string): void {
    this.sayBytes(Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)));
  }

  /** Sends bytes that should be UTF-8. */
  sayBytes(bytes: Buffer): void {
    this.receivedBytes += bytes.length;
    this.receivedMessages += 1;
    this.#listener?.onMessage(bytes);
  }

  /** Sends input that can never be a message. */
  sayUnreadable(detail: string): void {
    this.#listener?.onUnreadable(detail);
  }

  /** Ends its input, and reads on. */
  sayEnd(): void {
    this.#listener?.onEnd();
  }

  /** Asks to close. */
  askToClose(proceed: () => void): void {
    this.#listener?.onClosing(proceed);
  }

  /** Resolves when the server has served all that was said. On a busy machine it takes several turns of the loop, and pauses meanwhile. */
  async served(): Promise<void> {
    do await settled();
    while (this.#isPaused);
  }

  /** Stops reading until {@link readOn}. */
  stopReading(): void {
    this.#reads = false;
  }

  /** Reads so many of the waiting messages, without a sign to the server. */
  take(count: number): void {
    for (const held of this.#held.splice(0, count)) this.#deliver(held);
  }

  /** Reads everything, and keeps reading. */
  readOn(): void {
    this.#reads = true;
    this.take(this.#held.length);
    this.#listener?.onDrain();
  }

  /** Ends the connection. */
  leave(code = 1005): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#listener?.onClose(code);
  }

  /** All messages read so far. */
  get messages(): Json[] {
    return this.texts.map((text) => JSON.parse(text) as Json);
  }

  /** The reply to a request, now or later. */
  replyTo(id: unknown): Promise<Json> {
    const matches = (message: Json): boolean => message.id === id && message.method === undefined;
    const there = this.messages.find(matches);
    if (there !== undefined) return Promise.resolve(there);
    return new Promise((resolve) => this.#waiting.push({ matches, resolve }));
  }

  #hold(text: string, onSent: (() => void) | undefined): void {
    const bytes = Buffer.byteLength(text);
    this.sentBytes += bytes;
    this.bufferedBytes += bytes;
    this.#held.push({ text, bytes, onSent });
    if (this.#reads) this.take(this.#held.length);
  }

  #deliver({ text, bytes, onSent }: Held): void {
    this.bufferedBytes -= bytes;
    this.texts.push(text);
    onSent?.();
    const message = JSON.parse(text) as Json;
    this.#waiting = this.#waiting.filter(({ matches, resolve }) => {
      if (!matches(message)) return true;
      resolve(message);
      return false;
    });
  }
}
