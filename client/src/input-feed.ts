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
  /** Undefined for a part of a piece whose rest still waits. */
  readonly settle?: { readonly resolve: () => void; readonly reject: (error: Error) => void };
}

const INVALID_REQUEST = -32600;

/** The input of one command. */
export class InputFeed {
  /** Number of bytes that were handed to the connection so far. */
  sentTo = 0;
  readonly #send: SendInput;
  readonly #maxBytes: () => Promise<number | undefined>;
  #waiting: Waiting[] = [];
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
      this.#waiting.push({ bytes, closes, settle: { resolve, reject } });
      if (!this.#isSending) void this.#pump();
    });
  }

  async #pump(): Promise<void> {
    this.#isSending = true;
    while (this.#waiting.length > 0 && this.#failure === undefined) {
      const maxBytes = await this.#maxBytes();
      const pieces = this.#take(maxBytes ?? 0);
      const bytes = concat(pieces);
      const position = this.sentTo;
      this.sentTo += bytes.length;
      try {
        const isAccepted =
          maxBytes !== undefined &&
          (await this.#send({ bytes, closeStdin: pieces.some(({ closes }) => closes), position }));
        if (!isAccepted) throw stdinClosed();
        for (const { settle } of pieces) settle?.resolve();
      } catch (error) {
        this.#waiting.unshift(...pieces);
        this.fail(error as Error);
      }
    }
    this.#isSending = false;
    if (this.#failure !== undefined) this.#rejectAll(this.#failure);
  }

  #rejectAll(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { closes, settle } of waiting) {
      // The input is closed, as was asked.
      if (closes && isStdinClosed(error)) settle?.resolve();
      else settle?.reject(error);
    }
  }

  /** As much of what waits as fits into one message. */
  #take(maxBytes: number): Waiting[] {
    const taken: Waiting[] = [];
    let room = maxBytes;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const { bytes } = first;
      if (bytes.length > room) {
        taken.push({ bytes: bytes.subarray(0, room), closes: false });
        this.#waiting[0] = { ...first, bytes: bytes.subarray(room) };
        return taken;
      }
      room -= bytes.length;
      taken.push(first);
      this.#waiting.shift();
    }
    return taken;
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
