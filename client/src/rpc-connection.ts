/** JSON-RPC 2.0 over one transport, both ways: ids in flight, answers, and what the server asks. Knows no method and no reconnect. */
import { Change } from './change.js';
import { messageOf, RpcError, type WireError } from './errors.js';
import type { Clock } from './platform.js';
import { UnknownOutcomeError } from './result.js';
import type { Transport, TransportEnd, TransportListener } from './transport.js';
import type { TraceCarrier } from './wire.js';

const METHOD_NOT_FOUND = -32601;
const INTERNAL_ERROR = -32603;
/** Close code of a side that is done (RFC 6455, section 7.4.1). */
const DONE = 1000;
/** Code that this client reports when the server breaks the protocol (likewise). It is not sent, because browsers refuse to. */
const BROKEN = 1002;

/** The connection ended before an answer came. Stays inside the client. */
export class ConnectionEnded extends Error {
  declare readonly code: number;
  declare readonly reason: string;

  constructor({ code, reason }: TransportEnd) {
    super(`The connection ended with ${code}${reason === '' ? '' : ` (${reason})`}`);
    this.code = code;
    this.reason = reason;
  }
}

/** What a connection reports. None of them may throw. */
export interface RpcEvents {
  onNotification(method: string, params: unknown): void;
  /** Answers a request of the server: the result, or a rejection. Undefined if the program does not answer the method. */
  onRequest(method: string, params: unknown): Promise<unknown> | undefined;
  onEnd(end: ConnectionEnded): void;
}

export interface RpcRequestOptions {
  /** Milliseconds to wait for the answer. Default: for ever. */
  readonly timeoutMs?: number | undefined;
  readonly trace?: TraceCarrier | undefined;
}

/** Settles one request. */
type Settle = (error: Error | undefined, result?: unknown) => void;

/** One connection. Give it to a transport as its listener, then {@link RpcConnection.use} that transport. */
export class RpcConnection implements TransportListener {
  /** How it ended; undefined while it is open. */
  declare ended: ConnectionEnded | undefined;
  /** When something was received last, by the clock. */
  declare heardAt: number;
  readonly #clock: Clock;
  readonly #events: RpcEvents;
  readonly #pending = new Map<number, Settle>();
  readonly #closed = new Change();
  #transport: Transport | undefined;
  #nextId = 1;

  constructor(clock: Clock, events: RpcEvents) {
    this.#clock = clock;
    this.#events = events;
    this.heardAt = clock.now();
  }

  use(transport: Transport): void {
    this.#transport = transport;
  }

  /**
   * Sends a request.
   * @throws {RpcError} the refusal of the server
   * @throws {ConnectionEnded} when the connection ends first
   * @throws {UnknownOutcomeError} when the answer takes too long
   * @throws {TypeError} when JSON cannot hold the params
   */
  request(method: string, params: object, options: RpcRequestOptions = {}): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.ended !== undefined) throw this.ended;
      // Written before anything is kept: what JSON cannot hold leaves nothing behind.
      const text = JSON.stringify({ jsonrpc: '2.0', id, method, params, trace: options.trace });
      const { timeoutMs } = options;
      const settle: Settle = (error, result) => {
        this.#pending.delete(id);
        cancelTimeout?.();
        if (error === undefined) resolve(result);
        else reject(error);
      };
      const onTimeout = (): void =>
        settle(new UnknownOutcomeError(`The server did not answer ${method} within ${timeoutMs} ms`));
      const cancelTimeout = timeoutMs === undefined ? undefined : this.#clock.after(timeoutMs, onTimeout);
      this.#pending.set(id, settle);
      this.#send(text);
    });
  }

  /** Sends a notification; one that can no longer be sent is dropped. */
  notify(method: string, params: object): void {
    this.#send(JSON.stringify({ jsonrpc: '2.0', method, params }));
  }

  /** Ends the connection in order; drops it when the server has not answered by then. */
  async close(timeoutMs: number): Promise<void> {
    if (this.ended !== undefined) return;
    this.#transport?.close(DONE, 'done');
    const cancel = this.#clock.after(timeoutMs, () => this.drop());
    if (this.ended === undefined) await this.#closed.wait();
    cancel();
  }

  /** Ends the connection at once. */
  drop(): void {
    this.#transport?.drop();
  }

  onText(text: string): void {
    this.heardAt = this.#clock.now();
    try {
      this.#receive(JSON.parse(text));
    } catch (thrown) {
      // No JSON, or a notification that is not what it has to be: nothing that follows can be relied on.
      this.onEnd({ code: BROKEN, reason: messageOf(thrown) });
      this.drop();
    }
  }

  onEnd(end: TransportEnd): void {
    if (this.ended !== undefined) return;
    this.ended = new ConnectionEnded(end);
    for (const settle of [...this.#pending.values()]) settle(this.ended);
    this.#closed.happen();
    this.#events.onEnd(this.ended);
  }

  #receive(message: Record<string, unknown>): void {
    if (typeof message?.method === 'string') {
      if (message.id === undefined) this.#events.onNotification(message.method, message.params);
      else void this.#answer(message.id, message.method, message.params);
    } else if (typeof message?.id === 'number') this.#settle(message.id, message);
  }

  #settle(id: number, { error, result }: Record<string, unknown>): void {
    this.#pending.get(id)?.(error === undefined ? undefined : new RpcError(error as WireError), result);
  }

  async #answer(id: unknown, method: string, params: unknown): Promise<void> {
    const textOf = (body: object): string => JSON.stringify({ jsonrpc: '2.0', id, ...body });
    const refused = (code: number, message: string): string => textOf({ error: { code, message } });
    const answer = this.#events.onRequest(method, params);
    this.#send(
      answer === undefined
        ? refused(METHOD_NOT_FOUND, `Method not found: ${method}`)
        : await answer
            .then((result) => textOf({ result: result ?? {} }))
            .catch((thrown) => refused(INTERNAL_ERROR, messageOf(thrown))),
    );
  }

  #send(text: string): void {
    try {
      if (this.ended === undefined) this.#transport?.send(text);
    } catch {
      // The transport is closing: its end is reported next, and rejects every request.
    }
  }
}
