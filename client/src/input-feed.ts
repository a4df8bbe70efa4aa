/**
 * Standard input of one command: joins what is written, one message under way at a time, and says when the server has accepted it. Sends again what
 * a broken connection left unanswered, by position. Knows no connection.
 */
import { concat } from './capture.js';
import { RpcError } from './errors.js';

/** One `write`, without the name of its command. */
export interface InputMessage {
  readonly bytes: Uint8Array;
  readonly closeStdin: boolean;
  /** Position of its first byte in all input of this client. */
  readonly position: number;
}

/** Sends a message as often as it takes. Resolves to false when the command has ended; rejects with the server's refusal. */
export type SendInput = (message: InputMessage) => Promise<boolean>;

interface Waiting {
  readonly bytes: Uint8Array;
  readonly closes: boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const INVALID_REQUEST = -32600;

/** The input of one command. */
export class InputFeed {
  /** Number of bytes that were handed to the connection so far. */
  sentTo = 0;
  readonly #send: SendInput;
  readonly #maxBytes: () => Promise<number | undefined>;
  #waiting: Waiting[] = [];
  #accepted = 0;
  #isSending = false;
  #isClosed = false;
  #failure: Error | undefined;

  /** @param maxBytes most bytes of one message, asked before each; undefined when the command has ended */
  constructor(send: SendInput, maxBytes: () => Promise<number | undefined>) {
    this.#send = send;
    this.#maxBytes = maxBytes;
  }

  /** Resolves when the server has accepted the bytes. @throws {RpcError} `stdinClosed` behind the end, or another refusal */
  write(bytes: Uint8Array): Promise<void> {
    return bytes.length === 0 ? Promise.resolve() : this.#add(bytes, false);
  }

  /** Ends the input behind what is written; a second time does nothing. */
  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    const closed = this.#add(new Uint8Array(0), true);
    this.#isClosed = true;
    return closed;
  }

  /** Rejects this and all later input: the command has ended, or the server refuses. A message under way still gets its own answer. */
  fail(error: Error): void {
    this.#failure ??= error;
    if (!this.#isSending) this.#rejectAll(this.#failure);
  }

  #add(bytes: Uint8Array, closes: boolean): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isClosed) return Promise.reject(stdinClosed());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bytes, closes, resolve, reject });
      if (!this.#isSending) void this.#pump();
    });
  }

  async #pump(): Promise<void> {
    this.#isSending = true;
    while (this.#waiting.length > 0 && this.#failure === undefined) {
      const maxBytes = await this.#maxBytes();
      if (maxBytes === undefined) {
        this.fail(stdinClosed());
        break;
      }
      const message = this.#nextMessage(maxBytes);
      this.sentTo = Math.max(this.sentTo, message.position + message.bytes.length);
      try {
        if (await this.#send(message)) this.#accept(message);
        else this.fail(stdinClosed());
      } catch (error) {
        this.fail(error as Error);
      }
    }
    this.#isSending = false;
    if (this.#failure !== undefined) this.#rejectAll(this.#failure);
  }

  #rejectAll(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { closes, resolve, reject } of waiting) {
      // The input is closed, as was asked.
      if (closes && isStdinClosed(error)) resolve();
      else reject(error);
    }
  }

  /** As much of what waits as fits into one message. */
  #nextMessage(maxBytes: number): InputMessage {
    const pieces: Uint8Array[] = [];
    let length = 0;
    let closeStdin = false;
    for (const { bytes, closes } of this.#waiting) {
      const piece = bytes.subarray(0, maxBytes - length);
      pieces.push(piece);
      length += piece.length;
      closeStdin = closes;
      if (piece.length < bytes.length || closes) break;
    }
    return {
      bytes: pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : concat(pieces),
      closeStdin,
      position: this.#accepted,
    };
  }

  #accept({ bytes, closeStdin }: InputMessage): void {
    let left = bytes.length;
    this.#accepted += left;
    while (this.#waiting.length > 0) {
      const [first] = this.#waiting;
      if (first === undefined || first.bytes.length > left || (first.closes && !closeStdin)) break;
      left -= first.bytes.length;
      this.#waiting.shift();
      first.resolve();
    }
    const [first] = this.#waiting;
    if (first !== undefined && left > 0) this.#waiting[0] = { ...first, bytes: first.bytes.subarray(left) };
  }
}

/** Whether an error says that the command reads no more. */
export function isStdinClosed(error: unknown): boolean {
  return error instanceof RpcError && error.reason === 'stdinClosed';
}

/** The same refusal as the server's own. */
export function stdinClosed(): RpcError {
  return new RpcError({ code: INVALID_REQUEST, message: 'stdin is already closed', data: { reason: 'stdinClosed' } });
}
