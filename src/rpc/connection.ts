/**
 * One connection: takes messages from its transport, has requests served and sends exactly one reply for each; carries requests of the server and
 * their answers.
 * Knows no method and no session: {@link ConnectionOptions.serve} does what a request asks for.
 *
 *     open ──close()──► closing ──transport ended──► closed
 *       └──────────────transport ended────────────────▲
 *
 * Messages that arrive after `open` are not executed.
 */
import { randomUUID } from 'node:crypto';
import { closeCodes } from '../protocol/close-codes.js';
import { RpcError, rpcError } from '../protocol/errors.js';
import {
  decodeMessage,
  encodeError,
  encodeNotification,
  encodeRequest,
  encodeResult,
  type MaxBytesOf,
  notificationPrefix,
  type RequestMessage,
  type ResponseMessage,
  resultPrefix,
} from './codec.js';
import { Inbox } from './inbox.js';
import { Outbox } from './outbox.js';
import type { RequestBudget } from './request-budget.js';
import { afterServing } from './served-time.js';
import type { TraceContext } from './trace-context.js';
import type { MessageParts, Transport } from './transport.js';

/** How long replies may still come after the client's end of input. Commands are killed then, which takes a moment. */
const END_TIMEOUT_MS = 5000;
const CLOSING_BRACE = Buffer.from('}');

/** A result too long for one string, in pieces of JSON text. */
export class ResultParts {
  readonly parts: MessageParts;
  constructor(parts: MessageParts) {
    this.parts = parts;
  }
}

/** Follows one request from its arrival to its reply, for traces and metrics. */
export interface RequestObservation {
  /**
   * The trace of the request, if one is recorded. Spans that the request begins belong to it, and an inner error is reported to the client by this
   * trace's id.
   */
  readonly trace: TraceContext | undefined;
  ended(error: RpcError | undefined): void;
}

/** A request on its way through the server. */
export interface Call {
  readonly request: RequestMessage;
  readonly observation: RequestObservation | undefined;
}

export interface ConnectionOptions {
  readonly transport: Transport;
  /** Serves a request: returns or resolves to the result. To refuse, it throws or returns an {@link RpcError}. */
  readonly serve: (call: Call) => unknown;
  /** Called for every notification of the client. */
  readonly onNotification: (method: string, params: unknown) => void;
  /** Called for every answer of the client. */
  readonly onResponse?: (message: ResponseMessage) => void;
  /** Called once, when the transport has ended. */
  readonly onClose: (code: number) => void;
  /** The client sends nothing more. The callee ends its commands, so that their replies are sent. */
  readonly onEnd?: () => void;
  /** An unexpected error: to be logged in full under the id that the client was given. `call` is undefined for a message of the server's own. */
  readonly onInternalError: (error: unknown, traceId: string, call: Call | undefined) => void;
  readonly observe?: ((request: RequestMessage) => RequestObservation) | undefined;
  /** Requests in flight, of this connection and of all. */
  readonly budget: RequestBudget;
  readonly maxOwedReplyBytes: number;
  /** Longest message of each method. Default: no bound. */
  readonly maxBytesOf?: MaxBytesOf;
}

/** One open connection and its requests in flight. */
export class Connection {
  readonly id = randomUUID();
  readonly transport: Transport;
  readonly outbox: Outbox;
  readonly budget: RequestBudget;
  /** Whether the server's own notifications and requests say `"jsonrpc":"2.0"`: they do if this connection's `initialize` did. */
  mirrorsVersion = false;
  readonly #options: ConnectionOptions;
  readonly #inbox: Inbox;
  #inFlight = 0;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #onIdle: (() => void) | undefined;
  #cancelEnd: (() => void) | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.transport = options.transport;
    this.budget = options.budget;
    this.outbox = new Outbox(options.transport, {
      maxOwedReplyBytes: options.maxOwedReplyBytes,
      onOwedTooMuch: () => this.close(closeCodes.policyViolation, 'replies are not being read'),
    });
    this.#inbox = new Inbox({
      deliver: (message) => this.#receive(message),
      pause: () => this.transport.pause(),
      resume: () => this.transport.resume(),
    });
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Requests of the client that have no reply yet, and other work for which the connection stays open. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Starts the flow of messages. */
  open(): void {
    this.transport.open({
      onMessage: (message) => this.#inbox.push(message),
      onUnreadable: (detail) => this.outbox.reply(encodeError(null, rpcError('invalidRequest', { detail }), true)),
      onEnd: () => this.#inbox.whenEmpty(() => this.#finish()),
      onClosing: (proceed) => this.#inbox.whenEmpty(proceed),
      onDrain: () => this.outbox.drained(),
      onClose: (code) => this.#ended(code),
    });
  }

  /** Sends a notification. Does nothing once the connection closes. */
  notify(method: string, params: unknown): void {
    if (!this.isOpen) return;
    const text = this.#encode(() => encodeNotification(method, params, this.mirrorsVersion));
    if (text !== undefined) this.outbox.send(text);
  }

  /** Sends a notification that may be long; it counts against the bound on unread replies. @throws {Error} for params that are no JSON */
  notifyResult(method: string, params: unknown): void {
    if (!this.isOpen) return;
    if (params instanceof ResultParts) {
      const prefix = Buffer.from(notificationPrefix(method, this.mirrorsVersion));
      this.outbox.replyParts([prefix, ...params.parts, CLOSING_BRACE]);
    } else this.outbox.reply(encodeNotification(method, params, this.mirrorsVersion));
  }

  /** Sends a request of the server's own; its answer goes to {@link ConnectionOptions.onResponse}. Does nothing once the connection closes. */
  request(id: number, method: string, params: unknown): void {
    if (!this.isOpen) return;
    const text = this.#encode(() => encodeRequest(id, method, params, this.mirrorsVersion));
    if (text !== undefined) this.outbox.send(text);
  }

  /** Counts as a request in flight until the returned function is called, once: work that goes on after its reply. */
  holdOpen(): () => void {
    this.#inFlight += 1;
    return () => this.#landed();
  }

  /** Calls back once no request is in flight; at once if none is. */
  whenIdle(callback: () => void): void {
    if (this.#inFlight === 0) callback();
    else this.#onIdle = callback;
  }

  /** Sends what is queued, then closes. Messages that arrive from now on are not executed. */
  close(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.#state = 'closing';
    this.#inbox.close();
    this.transport.close(code, reason);
  }

  /** The client has ended its input: sends the replies that are due, then closes. */
  #finish(): void {
    this.#options.onEnd?.();
    const end = (): void => this.close(closeCodes.done, 'end of input');
    this.#cancelEnd = afterServing(END_TIMEOUT_MS, end);
    this.whenIdle(end);
  }

  #receive(bytes: Buffer): void {
    if (!this.isOpen) return;
    const message = decodeMessage(bytes, this.#options.maxBytesOf);
    switch (message.kind) {
      case 'request':
        this.#serve(message);
        return;
      case 'notification':
        this.#options.onNotification(message.method, message.params);
        return;
      case 'response':
        this.#options.onResponse?.(message);
        return;
      case 'invalid':
        this.outbox.reply(encodeError(message.id, message.error, message.jsonrpc));
    }
  }

  #serve(request: RequestMessage): void {
    const observation = this.#options.observe?.(request);
    let result: unknown;
    try {
      result = this.#options.serve({ request, observation });
    } catch (error) {
      this.#fail(request, observation, error);
      return;
    }
    if (result instanceof RpcError) {
      this.#fail(request, observation, result);
      return;
    }
    if (!(result instanceof Promise)) {
      this.#succeed(request, observation, result);
      return;
    }
    this.#inFlight += 1;
    this.budget.take();
    result
      .then(
        (value) => this.#succeed(request, observation, value),
        (error) => this.#fail(request, observation, error),
      )
      .finally(() => {
        this.budget.release();
        this.#landed();
      });
  }

  #landed(): void {
    this.#inFlight -= 1;
    if (this.#inFlight > 0 || this.#onIdle === undefined) return;
    const callback = this.#onIdle;
    this.#onIdle = undefined;
    callback();
  }

  #succeed(request: RequestMessage, observation: RequestObservation | undefined, result: unknown): void {
    let reply: string | MessageParts;
    try {
      // A result that cannot be encoded counts as a failed request.
      reply = this.isOpen ? replyOf(request, result) : '';
    } catch (error) {
      this.#fail(request, observation, error);
      return;
    }
    observation?.ended(undefined);
    if (!this.isOpen) return;
    if (typeof reply === 'string') this.outbox.reply(reply);
    else this.outbox.replyParts(reply);
  }

  #fail(request: RequestMessage, observation: RequestObservation | undefined, cause: unknown): void {
    let error: RpcError;
    if (cause instanceof RpcError) {
      error = cause;
    } else {
      const traceId = observation?.trace?.traceId ?? newTraceId();
      this.#options.onInternalError(cause, traceId, { request, observation });
      error = rpcError('internalError', { traceId });
    }
    observation?.ended(error);
    if (!this.isOpen) return;
    const text = this.#encode(() => encodeError(request.id, error, request.jsonrpc));
    if (text !== undefined) this.outbox.reply(text);
  }

  /** Encodes a message for which there is no substitute. If that fails, only this connection ends. */
  #encode(encode: () => string): string | undefined {
    try {
      return encode();
    } catch (error) {
      this.#options.onInternalError(error, newTraceId(), undefined);
      this.close(closeCodes.internalError, 'a message could not be written');
      return undefined;
    }
  }

  #ended(code: number): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#inbox.close();
    this.#cancelEnd?.();
    this.#options.onClose(code);
  }
}

/** @throws {Error} for a result that is too long for a string or is no JSON */
function replyOf({ id, jsonrpc }: RequestMessage, result: unknown): string | MessageParts {
  if (!(result instanceof ResultParts)) return encodeResult(id, result, jsonrpc);
  return [Buffer.from(resultPrefix(id, jsonrpc)), ...result.parts, CLOSING_BRACE];
}

function newTraceId(): string {
  return randomUUID().replaceAll('-', '');
}
