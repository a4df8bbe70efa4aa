/**
 * Asks a client and waits for its answer: the server's own requests, over one typed table, bounded in number and in time. Knows no method and no
 * connection beyond the way out; answers come in through {@link Asking.answered}.
 */
import type * as z from 'zod';
import type { ServerRequestTable } from '../protocol/server-requests.js';
import type { ResponseMessage } from '../rpc/codec.js';
import { afterServing } from '../rpc/served-time.js';

/** Most unanswered questions of one session: far more than the people or programs behind one client can work on at once. */
const MAX_UNANSWERED = 32;

/** There is no answer; the message says why. */
export class NoAnswerError extends Error {
  readonly reason: 'cancelled' | 'closed' | 'timeout' | 'tooMany' | 'invalid';
  constructor(reason: NoAnswerError['reason'], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'NoAnswerError';
    this.reason = reason;
  }
}

export interface AskOptions {
  /** Cancels the question, for instance when its command ends. The end of the connection cancels it by itself. */
  readonly signal?: AbortSignal | undefined;
}

/** The way out to one client. */
export interface AskedConnection {
  readonly isOpen: boolean;
  request(id: number, method: string, params: unknown): void;
}

type ParamsOf<T extends ServerRequestTable, M extends keyof T> = z.input<T[M]['params']>;
type AnswerOf<T extends ServerRequestTable, M extends keyof T> = z.output<T[M]['result']>;

/** The questions of one session that have no answer yet. */
export class Asking<T extends ServerRequestTable> {
  readonly #connection: AskedConnection;
  readonly #table: T;
  readonly #unanswered = new Map<number, (answer: ResponseMessage | NoAnswerError) => void>();
  #nextId = 1;

  constructor(connection: AskedConnection, table: T) {
    this.#connection = connection;
    this.#table = table;
  }

  /**
   * Asks and waits for the answer.
   * @throws {RpcError} the client's own error
   * @throws {NoAnswerError} when no answer comes in time, the answer does not fit the table, the question was cancelled, or it cannot be asked
   */
  async ask<M extends keyof T & string>(
    method: M,
    params: ParamsOf<T, M>,
    { signal }: AskOptions = {},
  ): Promise<AnswerOf<T, M>> {
    const definition = this.#table[method];
    if (definition === undefined) throw new TypeError(`There is no server request ${method}`);
    if (!this.#connection.isOpen)
      throw new NoAnswerError('closed', `The connection is closed: ${method} was not asked`);
    if (signal?.aborted === true) throw new NoAnswerError('cancelled', `${method} was cancelled before it was asked`);
    if (this.#unanswered.size >= MAX_UNANSWERED) {
      throw new NoAnswerError(
        'tooMany',
        `${MAX_UNANSWERED} requests wait for answers of this client: ${method} was not asked`,
      );
    }
    const answer = await this.#exchange(method, params, { signal, timeoutMs: definition.timeoutMs });
    if (answer instanceof NoAnswerError) throw answer;
    if (answer.error !== undefined) throw answer.error;
    const parsed = definition.result.safeParse(answer.result);
    if (parsed.success) return parsed.data as AnswerOf<T, M>;
    throw new NoAnswerError('invalid', `The answer to ${method} does not fit the protocol`, {
      cause: parsed.error,
    });
  }

  /** To be called for every answer of the client. An answer to a cancelled question is dropped. */
  answered(answer: ResponseMessage): void {
    if (typeof answer.id === 'number') this.#unanswered.get(answer.id)?.(answer);
  }

  /** To be called when the connection has ended. */
  close(): void {
    for (const settle of [...this.#unanswered.values()]) {
      settle(new NoAnswerError('closed', 'The connection closed before the client answered'));
    }
  }

  #exchange(
    method: string,
    params: unknown,
    { signal, timeoutMs }: AskOptions & { timeoutMs: number },
  ): Promise<ResponseMessage | NoAnswerError> {
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve) => {
      const settle = (answer: ResponseMessage | NoAnswerError): void => {
        this.#unanswered.delete(id);
        cancelTimeout();
        signal?.removeEventListener('abort', onAbort);
        resolve(answer);
      };
      const onAbort = (): void => settle(new NoAnswerError('cancelled', `${method} was cancelled`));
      const cancelTimeout = afterServing(timeoutMs, () =>
        settle(new NoAnswerError('timeout', `The client did not answer ${method} within ${timeoutMs} ms`)),
      );
      signal?.addEventListener('abort', onAbort);
      this.#unanswered.set(id, settle);
      this.#connection.request(id, method, params);
    });
  }
}
