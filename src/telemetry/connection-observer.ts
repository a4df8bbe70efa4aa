/**
 * Follows one connection: its logger, its span, its requests and their numbers. Works the same with and without traces. An idle
 * connection costs two small objects.
 */
import type { Log } from '../log.js';
import type { RpcError } from '../protocol/errors.js';
import type { RequestMessage } from '../rpc/codec.js';
import type { Call, RequestObservation } from '../rpc/connection.js';
import type { TraceContext } from '../rpc/trace-context.js';
import type { SessionObservation } from '../session/open-session.js';
import type { Session } from '../session/session.js';
import type { Metrics } from './metric-store.js';
import type { CommandSpan, ConnectionSpan, RequestSpan } from './tracing.js';

const MS_PER_SECOND = 1000;
/** Label for a value that is not in its table. */
const OTHER = 'other';
const NO_ERROR = 'ok';

/** The allowed values of labels in metrics; any other value becomes `other`. */
export interface LabelTables {
  readonly methods: ReadonlySet<string>;
  readonly errorCodes: ReadonlySet<number>;
  readonly reasons: ReadonlySet<string>;
  readonly closeCodes: ReadonlySet<number>;
}

/** What all connections share. */
export interface ConnectionObserverContext {
  readonly metrics: Metrics;
  readonly labels: LabelTables;
  readonly log: Log;
  /** Loggers of connections; they follow the level of `log`. */
  readonly loggers: Set<Log>;
}

/** The fields of a log line that identify its request. */
function requestFields({ request, observation }: Call): Record<string, string | number> {
  const trace = observation?.trace;
  const ids = trace === undefined ? {} : { trace_id: trace.traceId, span_id: trace.spanId };
  return { requestId: request.id, method: request.method, ...ids };
}

/** One connection as telemetry sees it. */
export class ConnectionObserver implements SessionObservation {
  readonly context: ConnectionObserverContext;
  readonly session: Session;
  /** Undefined without traces. */
  readonly span: ConnectionSpan | undefined;
  #log: Log | undefined;

  constructor(context: ConnectionObserverContext, session: Session, span: ConnectionSpan | undefined) {
    const { kind: transport } = session.connection.transport;
    this.context = context;
    this.session = session;
    this.span = span;
    context.metrics.connectionsOpened.add(1, transport);
    context.log.debug({ connectionId: session.id, transport }, 'connection opened');
  }

  /** A logger with `connectionId`. Created at its first use, because most connections log nothing. */
  get log(): Log {
    if (this.#log === undefined) {
      this.#log = this.context.log.child({ connectionId: this.session.id });
      this.context.loggers.add(this.#log);
    }
    return this.#log;
  }

  /** Follows a request until {@link ObservedRequest.ended}. */
  request(request: RequestMessage): ObservedRequest {
    return new ObservedRequest(this, request);
  }

  notified(method: string): void {
    this.context.log.debug({ connectionId: this.session.id, method }, 'notification');
  }

  failed(error: unknown, traceId: string, call: Call | undefined): void {
    const fields = call === undefined ? {} : requestFields(call);
    const what = call === undefined ? 'message could not be written' : 'request failed';
    this.log.error({ ...fields, trace_id: traceId, err: error }, what);
  }

  /** To be called once. @param code WebSocket close code */
  closed(code: number): void {
    const { metrics, labels, log, loggers } = this.context;
    metrics.connectionsClosed.add(1, labels.closeCodes.has(code) ? String(code) : OTHER);
    log.debug({ connectionId: this.session.id, code }, 'connection closed');
    if (this.#log !== undefined) loggers.delete(this.#log);
    this.span?.end(code, this.session.agreement);
  }
}

/** One request on its way. */
export class ObservedRequest implements RequestObservation {
  /** Undefined without traces. */
  readonly #span: RequestSpan | undefined;
  readonly #connection: ConnectionObserver;
  readonly #method: string;
  readonly #arrivedAtMs = performance.now();

  constructor(connection: ConnectionObserver, request: RequestMessage) {
    this.#connection = connection;
    this.#method = connection.context.labels.methods.has(request.method) ? request.method : OTHER;
    this.#span = connection.span?.request(request, () =>
      connection.log.warn(
        { requestId: request.id, method: this.#method },
        'the trace of a request is not a valid trace context; its span has no parent',
      ),
    );
  }

  get trace(): TraceContext | undefined {
    return this.#span?.trace;
  }

  /** The request is about a command that another one started. */
  linkTo(command: CommandSpan): void {
    this.#span?.linkTo(command);
  }

  ended(error: RpcError | undefined): void {
    const { context, session } = this.#connection;
    const { metrics, labels } = context;
    metrics.requestDuration.observe((performance.now() - this.#arrivedAtMs) / MS_PER_SECOND, this.#method);
    if (error === undefined) {
      metrics.requests.add(1, this.#method, NO_ERROR);
    } else {
      metrics.requests.add(1, this.#method, labels.errorCodes.has(error.code) ? String(error.code) : OTHER);
      const { reason } = error;
      metrics.refusals.add(1, reason !== undefined && labels.reasons.has(reason) ? reason : OTHER);
    }
    this.#span?.end(error, session.agreement);
  }
}
