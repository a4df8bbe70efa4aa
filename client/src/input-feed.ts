/**
 * Standard input of one command: joins what is written, one message under way at a time, and says when the server has accepted it. Sends again what
 * a broken connection left unanswered, by position. Knows no connection.
 */
import { concat } from './capture.js';
import { fieldOf, RpcError } from './errors.js';

/** One `write`, without the name of its command. */
export interface InputMessage {
  readonly bytes: Uint8Array;
  readonly closeStdin: boolean;
  /** Position of its first byte in all input of this client. */
  readonly position: number;
}

/** Sends a message as often as it takes. Rejects with the server's refusal, or {@link stdinClosed} when the command has ended. */
export type SendInput = (message: InputMessage) => Promise<void>;

interface Waiting {
  readonly bytes: Uint8Array;
  readonly closes?: boolean;
  /** Undefined for a part of a piece whose rest still waits; so is `reject`. */
  readonly resolve?: () => void;
  readonly reject?: (error: unknown) => void;
}

const INVALID_REQUEST = -32600;

/** The input of one command. */
export class InputFeed {
  readonly #send: SendInput;
  readonly #maxBytes: () => Promise<number>;
  /** Bytes that were handed to the connection so far. */
  #handedOver = 0;
  #waiting: Waiting[] = [];
  #isSending = false;
  #isClosed = false;
  #failure: Error | undefined;

  /** @param maxBytes most bytes of one message, asked before each; at least 1 */
  constructor(send: SendInput, maxBytes: () => Promise<number>) {
    this.#send = send;
    this.#maxBytes = maxBytes;
  }

  /** Resolves when the server has accepted the bytes. @throws {RpcError} `stdinClosed` behind the end, or another refusal */
  write(bytes: Uint8Array): Promise<void> {
    return bytes.length === 0 ? Promise.resolve() : this.#add(bytes, false);
  }

  /** Ends the input behind what is written, and behind these bytes; a second time does nothing. @throws {RpcError} as `write` does, when there are bytes */
  end(bytes: Uint8Array = new Uint8Array(0)): Promise<void> {
    if (this.#isClosed && bytes.length === 0) return Promise.resolve();
    const ended = this.#add(bytes, true);
    this.#isClosed = true;
    return ended;
  }

  /** Rejects this and all later input: the command has ended, or the server refuses. A message under way still gets its own answer. */
  fail(error: Error): void {
    this.#failure ??= error;
    void this.#pump();
  }

  #add(bytes: Uint8Array, closes: boolean): Promise<void> {
    if (this.#isClosed) return Promise.reject(stdinClosed());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bytes, closes, resolve, reject });
      void this.#pump();
    });
  }

  /** Sends what waits, or rejects it after a failure, unless a message is under way: this then follows its answer. Nothing waits at the end without a failure. */
  async #pump(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    while (this.#waiting.length > 0 && this.#failure === undefined) {
      const pieces = this.#take(await this.#maxBytes());
      const bytes = concat(pieces);
      const position = this.#handedOver;
      this.#handedOver += bytes.length;
      try {
        // Nothing waits behind the end.
        await this.#send({ bytes, closeStdin: pieces.at(-1)?.closes === true, position });
        for (const { resolve } of pieces) resolve?.();
      } catch (error) {
        this.#waiting.unshift(...pieces);
        this.fail(error as Error);
      }
    }
    this.#isSending = false;
    for (const { bytes, closes, resolve, reject } of this.#waiting.splice(0)) {
      // The input is closed, as was asked, and nothing is lost.
      if (closes && bytes.length === 0 && isStdinClosed(this.#failure)) resolve?.();
      else reject?.(this.#failure);
    }
  }

  /** As much of what waits as fits into one message. */
  #take(room: number): Waiting[] {
    const taken: Waiting[] = [];
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { bytes } = next;
      if (bytes.length > room) {
        this.#waiting.unshift({ ...next, bytes: bytes.subarray(room) });
        taken.push({ bytes: bytes.subarray(0, room) });
        break;
      }
      room -= bytes.length;
      taken.push(next);
    }
    return taken;
  }
}

/** Whether an error says that the command reads no more. */
export function isStdinClosed(error: unknown): boolean {
  return fieldOf(error, 'reason') === 'stdinClosed';
}

/** The same refusal as the server's own. */
export function stdinClosed(): RpcError {
  return new RpcError({ code: INVALID_REQUEST, message: 'stdin is already closed', data: { reason: 'stdinClosed' } });
}
