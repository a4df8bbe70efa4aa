/**
 * A WebSocket as a transport: one text frame a message. The `ws` object, handed in as an interface, does the reading, the pings and the closing
 * handshake. Writing is done here by {@link FrameWriter}, unless an extension was negotiated. Knows no JSON.
 */
import { closeCodes } from '../protocol/close-codes.js';
import { watchFlush } from './flush-limit.js';
import { type ReadableFirst, readBeforeFailing } from './read-before-failing.js';
import type { EncodedMessage, MessageParts, Transport, TransportListener } from './transport.js';
import { MESSAGE_HEADROOM_BYTES } from './transport.js';
import { type FrameSocket, FrameWriter } from './websocket-frames.js';

/** The part of a `ws` WebSocket that is used here. */
export interface WebSocketLike {
  readonly readyState: number;
  readonly bufferedAmount: number;
  readonly extensions: string;
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): unknown;
  on(event: 'close', listener: (code: number) => void): unknown;
  on(event: 'ping', listener: (data: Buffer) => void): unknown;
  on(event: 'pong', listener: () => void): unknown;
  send(data: string | Buffer, options: { binary: boolean; fin?: boolean }, callback?: (error?: Error) => void): void;
  ping(data: string, mask: boolean, callback: () => void): void;
  pong(data: Buffer, mask: boolean, callback: () => void): void;
  pause(): void;
  resume(): void;
  close(code?: number, reason?: string | Buffer): void;
  terminate(): void;
}

/** `readyState` until either side has sent its Close. @see https://websockets.spec.whatwg.org */
const OPEN = 1;

/** Sends through `ws` itself: if an extension was negotiated, or if there is no socket to write to. */
class LibraryWriter {
  readonly #ws: WebSocketLike;
  readonly #onDrain: () => void;
  sentBytes = 0;

  constructor(ws: WebSocketLike, onDrain: () => void) {
    this.#ws = ws;
    this.#onDrain = onDrain;
  }

  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  send(text: string): void {
    this.sentBytes += Buffer.byteLength(text);
    this.#ws.send(text, { binary: false }, () => this.sent());
  }

  sendEncoded(message: EncodedMessage): void {
    this.sentBytes += message.textBytes;
    const text = message.buffer.subarray(MESSAGE_HEADROOM_BYTES, MESSAGE_HEADROOM_BYTES + message.textBytes);
    this.#ws.send(text, { binary: false }, (error) => {
      if (error === undefined || error === null) message.onSent?.();
      this.sent();
    });
  }

  sendParts(parts: MessageParts): void {
    for (const [index, part] of parts.entries()) {
      this.sentBytes += part.length;
      this.#ws.send(part, { binary: false, fin: index === parts.length - 1 }, () => this.sent());
    }
  }

  flush(): void {}

  /** To be called whenever something was sent, a control frame too, because nothing may be held any more afterwards. */
  sent(): void {
    if (this.#ws.bufferedAmount === 0) this.#onDrain();
  }
}

/** One WebSocket connection. */
export class WebSocketTransport implements Transport {
  readonly kind = 'websocket';
  receivedMessages = 0;
  readonly #ws: WebSocketLike;
  readonly #socket: (FrameSocket & ReadableFirst) | undefined;
  readonly #writer: FrameWriter | LibraryWriter;
  #listener: TransportListener | undefined;
  #stopWatchingFlush: (() => void) | undefined;
  #pongIsHeld = false;
  /** Data of the newest ping that has no answer. */
  #unanswered: Buffer | undefined;

  /** @param socket the TCP or TLS socket under `ws`; undefined for an injected upgrade, which has none */
  constructor(ws: WebSocketLike, socket: (FrameSocket & ReadableFirst) | undefined) {
    this.#ws = ws;
    this.#socket = socket;
    const writesItself = socket !== undefined && ws.extensions === '';
    this.#writer = writesItself ? new FrameWriter(socket) : new LibraryWriter(ws, () => this.#listener?.onDrain());
    if (socket !== undefined) readBeforeFailing(socket);
    if (writesItself) socket.on('drain', () => this.#listener?.onDrain());
    // At once, before anything is awaited: the first message may have arrived already.
    ws.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    ws.on('close', (code) => this.#onClose(code));
    ws.on('ping', (data) => this.#onPing(data));
    ws.on('pong', () => {
      this.receivedMessages += 1;
    });
    this.#flushBeforeClose();
  }

  get bufferedBytes(): number {
    return this.#writer.bufferedBytes;
  }

  get sentBytes(): number {
    return this.#writer.sentBytes;
  }

  get receivedBytes(): number {
    return this.#socket?.bytesRead ?? this.receivedMessages;
  }

  open(listener: TransportListener): void {
    this.#listener = listener;
  }

  send(text: string): void {
    if (this.#isOpen) this.#writer.send(text);
  }

  sendEncoded(message: EncodedMessage): void {
    if (this.#isOpen) this.#writer.sendEncoded(message);
  }

  sendParts(parts: MessageParts): void {
    if (this.#isOpen) this.#writer.sendParts(parts);
  }

  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
  }

  ping(): void {
    this.#ws.ping('', false, () => this.#controlSent());
  }

  close(code: number, reason: string): void {
    // Waiting messages may have paused the socket, and the answer to the server's Close must be read.
    this.#ws.resume();
    this.#ws.close(code, reason);
  }

  abort(): void {
    this.#ws.terminate();
  }

  /** No message is sent or taken after a Close. */
  get #isOpen(): boolean {
    return this.#ws.readyState === OPEN;
  }

  /**
   * Sends queued messages before every Close. `ws` uses the same method to answer the peer's Close and to end a connection that broke the protocol,
   * and no data may follow a Close.
   * @see RFC 6455 section 5.5.1
   */
  #flushBeforeClose(): void {
    const ws = this.#ws;
    const libraryClose = ws.close.bind(ws);
    const close = (code?: number, reason?: string | Buffer): void => {
      this.#writer.flush();
      libraryClose(code, reason);
      this.#stopWatchingFlush ??= watchFlush(
        () => this.sentBytes - this.bufferedBytes,
        () => ws.terminate(),
      );
    };
    ws.close = (code, reason) => {
      // `ws` answers with the peer's own code and its reason as bytes, or with none; the server's own calls always pass a code and a text.
      const isAnswer = code === undefined || Buffer.isBuffer(reason);
      if (isAnswer && this.#isOpen && this.#listener !== undefined) this.#listener.onClosing(() => close(code, reason));
      else close(code, reason);
    };
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (!this.#isOpen) return;
    this.receivedMessages += 1;
    if (isBinary) this.close(closeCodes.unsupportedData, 'messages are text frames');
    else this.#listener?.onMessage(data);
  }

  /** Holds at most one answer: a peer that pings and does not read gets the answer to its newest ping. @see RFC 6455 section 5.5.3 */
  #onPing(data: Buffer): void {
    this.receivedMessages += 1;
    // A copy, because `data` is a part of the larger buffer that was read.
    if (this.#pongIsHeld) this.#unanswered = Buffer.from(data);
    else this.#pong(data);
  }

  #pong(data: Buffer): void {
    if (!this.#isOpen) return;
    this.#pongIsHeld = true;
    this.#ws.pong(data, false, () => {
      this.#pongIsHeld = false;
      const next = this.#unanswered;
      this.#unanswered = undefined;
      if (next === undefined) this.#controlSent();
      else this.#pong(next);
    });
  }

  #controlSent(): void {
    if (this.#writer instanceof LibraryWriter) this.#writer.sent();
  }

  #onClose(code: number): void {
    this.#stopWatchingFlush?.();
    this.#listener?.onClose(code);
  }
}
