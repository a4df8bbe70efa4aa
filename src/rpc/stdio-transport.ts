/** Standard input and output as a transport: one message a line. Knows no JSON, and not which streams it was given. */
import type { Readable, Writable } from 'node:stream';
import { closeCodes } from '../protocol/close-codes.js';
import { watchFlush } from './flush-limit.js';
import { LineSplitter } from './line-splitter.js';
import {
  type EncodedMessage,
  MESSAGE_HEADROOM_BYTES,
  type MessageParts,
  type Transport,
  type TransportListener,
} from './transport.js';

const LINE_FEED = 0x0a;

/** The one connection of a server that was started as a child. */
export class StdioTransport implements Transport {
  readonly kind = 'stdio';
  readonly #input: Readable;
  readonly #output: Writable;
  readonly #maxLineBytes: number;
  #listener: TransportListener | undefined;
  #ended = false;
  sentBytes = 0;
  receivedBytes = 0;
  receivedMessages = 0;

  constructor(input: Readable, output: Writable, maxLineBytes: number) {
    this.#input = input;
    this.#output = output;
    this.#maxLineBytes = maxLineBytes;
  }

  get bufferedBytes(): number {
    return this.#output.writableLength;
  }

  open(listener: TransportListener): void {
    this.#listener = listener;
    const lines = new LineSplitter({
      maxLineBytes: this.#maxLineBytes,
      onLine: (line) => {
        this.receivedMessages += 1;
        listener.onMessage(line);
      },
      onTooLong: () => listener.onUnreadable(`a line is longer than ${this.#maxLineBytes} bytes; it was skipped`),
    });
    this.#input.on('data', (chunk: Buffer) => {
      this.receivedBytes += chunk.length;
      lines.push(chunk);
    });
    this.#input.on('end', () => {
      lines.end();
      listener.onEnd();
    });
    this.#input.on('error', () => this.#end(closeCodes.internalError));
    this.#output.on('drain', () => listener.onDrain());
    // EPIPE: the program that started the server reads no more.
    this.#output.on('error', () => this.#end(closeCodes.internalError));
  }

  send(text: string): void {
    this.#write(Buffer.from(`${text}\n`));
  }

  sendEncoded(message: EncodedMessage): void {
    const end = MESSAGE_HEADROOM_BYTES + message.textBytes;
    message.buffer[end] = LINE_FEED;
    this.#write(message.buffer.subarray(MESSAGE_HEADROOM_BYTES, end + 1), message.onSent);
  }

  sendParts(parts: MessageParts): void {
    for (const part of parts) this.#write(part);
    this.#write(Buffer.from([LINE_FEED]));
  }

  pause(): void {
    this.#input.pause();
  }

  resume(): void {
    this.#input.resume();
  }

  ping(): void {}

  close(code: number, _reason: string): void {
    const stopWatching = watchFlush(
      () => this.sentBytes - this.bufferedBytes,
      () => this.#end(code),
    );
    this.#output.end(() => {
      stopWatching();
      this.#end(code);
    });
  }

  abort(): void {
    this.#end(closeCodes.internalError);
  }

  #write(bytes: Buffer, onSent?: () => void): void {
    if (this.#ended) return;
    this.sentBytes += bytes.length;
    this.#output.write(bytes, (error) => (error ? undefined : onSent?.()));
  }

  #end(code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#input.destroy();
    this.#listener?.onClose(code);
  }
}
