/**
 * The server's spans: connections, requests, commands and the drain, and which is the parent of which. Uses OpenTelemetry's API, which is loaded with
 * this file and only if traces are asked for; knows no SDK.
 *
 *     parent of a request: its own `trace`, else the server's TRACEPARENT, else the upgrade's headers, else none
 *     an invalid `trace`:  a warning and no parent, because a wrong parent would be worse
 */
import {
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { RpcError } from '../protocol/errors.js';
import type { RequestMessage } from '../rpc/codec.js';
import { environmentOf, isPresent, parseCarrier, type TraceCarrier, type TraceContext } from '../rpc/trace-context.js';
import type { Agreement } from '../session/session.js';
import { type Attributes, type EventName, spanNames } from './trace-vocabulary.js';

/** Longest name or id that a client can put into a span. */
const MAX_TEXT_CHARS = 200;
const UNKNOWN_METHOD = '_OTHER';

export interface TracingOptions {
  readonly tracer: Tracer;
  /** Trace context in which the server was started. */
  readonly serverParent: TraceCarrier | undefined;
  /** Whether there is a method of this name; any other name becomes `_OTHER`. */
  readonly isMethod: (name: string) => boolean;
  readonly onInvalidServerCarrier: () => void;
}

/** Makes the spans of one server. */
export class Tracing {
  readonly #options: TracingOptions;
  readonly #serverParent: Context | undefined;

  constructor(options: TracingOptions) {
    this.#options = options;
    const { serverParent } = options;
    if (!isPresent(serverParent)) return;
    this.#serverParent = contextOf(serverParent);
    if (this.#serverParent === undefined) options.onInvalidServerCarrier();
  }

  /** Starts the span of a connection. @param upgrade headers of the upgrade */
  connection(id: string, transport: string, upgrade: TraceCarrier | undefined): ConnectionSpan {
    const parent = this.#serverParent ?? contextOf(upgrade) ?? ROOT_CONTEXT;
    return new ConnectionSpan(this.#options, { id, transport, parent });
  }

  /** Starts the span of a command. @param request trace of the request that runs it */
  command(request: TraceContext, attributes: Attributes): CommandSpan {
    // The span of the request was made here; it did not come from elsewhere.
    const parent = contextWith(request, { isRemote: false });
    return new CommandSpan(this.#options.tracer.startSpan(spanNames.command, { attributes }, parent));
  }

  /** Starts the span of the drain. */
  drain(attributes: Attributes): ActiveSpan {
    const span = this.#options.tracer.startSpan(spanNames.drain, { attributes }, this.#serverParent ?? ROOT_CONTEXT);
    return new ActiveSpan(span);
  }
}

/** A span that can get events and an end. */
export class ActiveSpan {
  protected readonly span: Span;

  constructor(span: Span) {
    this.span = span;
  }

  event(name: EventName): void {
    this.span.addEvent(name);
  }

  end(attributes: Attributes = {}): void {
    this.span.setAttributes(attributes).end();
  }
}

interface ConnectionTrace {
  readonly id: string;
  readonly transport: string;
  /** Parent of its requests, too, unless they bring one. */
  readonly parent: Context;
}

/** The long span of a connection. Its requests are links, not children, because they belong to the traces of the clients that sent them. */
export class ConnectionSpan {
  readonly #options: TracingOptions;
  readonly #connection: ConnectionTrace;
  readonly #span: Span;
  #requests = 0;

  constructor(options: TracingOptions, connection: ConnectionTrace) {
    this.#options = options;
    this.#connection = connection;
    const { id, transport, parent } = connection;
    const attributes: Attributes = { 'execwire.connection.id': id, 'execwire.transport': transport };
    this.#span = options.tracer.startSpan(spanNames.connection, { attributes }, parent);
  }

  /** Starts the span of a request. */
  request(request: RequestMessage, onInvalidCarrier: () => void): RequestSpan {
    const { tracer, isMethod } = this.#options;
    const { id, transport, parent } = this.#connection;
    let context = parent;
    if (isPresent(request.trace)) {
      const own = contextOf(request.trace);
      if (own === undefined) onInvalidCarrier();
      context = own ?? ROOT_CONTEXT;
    }
    const isKnown = isMethod(request.method);
    const name = isKnown ? request.method : UNKNOWN_METHOD;
    const attributes: Attributes = {
      'rpc.system.name': 'jsonrpc',
      'rpc.method': name,
      'jsonrpc.request.id': String(request.id).slice(0, MAX_TEXT_CHARS),
      'execwire.transport': transport,
      'execwire.connection.id': id,
    };
    if (request.jsonrpc) attributes['jsonrpc.protocol.version'] = '2.0';
    if (!isKnown) attributes['rpc.method_original'] = request.method.slice(0, MAX_TEXT_CHARS);
    const span = tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, context);
    this.#requests += 1;
    if (span.isRecording()) this.#span.addLink({ context: span.spanContext() });
    return new RequestSpan(span);
  }

  end(code: number, client: Agreement | undefined): void {
    this.#span.setAttributes({
      ...clientAttributes(client),
      'execwire.connection.close_code': code,
      'execwire.connection.requests': this.#requests,
    } satisfies Attributes);
    this.#span.end();
  }
}

/** The span of one request. */
export class RequestSpan {
  readonly #span: Span;

  constructor(span: Span) {
    this.#span = span;
  }

  get trace(): TraceContext {
    return traceOf(this.#span);
  }

  linkTo(command: CommandSpan): void {
    this.#span.addLink({ context: command.context });
  }

  end(error: RpcError | undefined, client: Agreement | undefined): void {
    const span = this.#span;
    if (span.isRecording()) {
      if (client !== undefined) span.setAttributes(clientAttributes(client));
      if (error !== undefined) {
        const code = String(error.code);
        const failure: Attributes = { 'error.type': code, 'rpc.response.status_code': code };
        if (error.reason !== undefined) failure['execwire.error.reason'] = error.reason;
        // Not the text of the error, which may quote an argument.
        span.setAttributes(failure).setStatus({ code: SpanStatusCode.ERROR, message: error.reason ?? code });
      }
    }
    span.end();
  }
}

/** The span of one command. */
export class CommandSpan extends ActiveSpan {
  get context(): SpanContext {
    return this.span.spanContext();
  }

  /** The variables that make the command's own spans part of this trace. */
  get env(): Record<string, string | null> {
    return environmentOf(traceOf(this.span));
  }

  /** Ends the span of a command that could not be started. @param type errno or name of the error, never its text */
  fail(type: string, attributes: Attributes): void {
    this.span.setAttributes({ ...attributes, 'error.type': type } satisfies Attributes);
    this.span.setStatus({ code: SpanStatusCode.ERROR });
    this.span.end();
  }
}

function clientAttributes(client: Agreement | undefined): Attributes {
  if (client === undefined) return {};
  return {
    'execwire.client.name': client.clientName.slice(0, MAX_TEXT_CHARS),
    'execwire.client.version': client.clientVersion.slice(0, MAX_TEXT_CHARS),
  };
}

/** @returns undefined without a valid carrier */
function contextOf(carrier: unknown): Context | undefined {
  const parsed = parseCarrier(carrier);
  return parsed === undefined ? undefined : contextWith(parsed, { isRemote: true });
}

function traceOf(span: Span): TraceContext {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  return { traceId, spanId, flags: traceFlags, tracestate: traceState?.serialize() || undefined };
}

function contextWith(
  { traceId, spanId, flags, tracestate }: TraceContext,
  { isRemote }: { isRemote: boolean },
): Context {
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: flags,
    isRemote,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  });
}
