/**
 * Follows one connection: its logger, its span, its requests and their numbers. Knows sessions and requests by their shape only, and
 * works the same with and without traces.
 */
import type { Metrics } from './metric-store.js';
import type { ClientName, ConnectionSpan, RequestSpan, TracedRequest } from './tracing.js';

const MS_PER_SECOND = 1000;
/** Label of what is not in a table. */
const OTHER = 'other';
const NO_ERROR = 'ok';

/** An answer that is a refusal. */
export interface Refusal {
  readonly code: number;
  readonly reason: string | undefined;
}

/** What the labels of metrics may say; anything else is `other`. */
export interface LabelTables {
  readonly methods: ReadonlySet<string>;
  readonly errorCodes: ReadonlySet<number>;
  readonly reasons: ReadonlySet<string>;
  readonly closeCodes: ReadonlySet<number>;
}

export interface ConnectionObserverOptions {
  readonly metrics: Metrics;
  readonly labels: LabelTables;
  readonly transport: string;
  /** Undefined without traces. */
  readonly span: ConnectionSpan | undefined;
  /** Who is at the other end, once that is known. */
  readonly client: () => ClientName | undefined;
  readonly onInvalidCarrier: (request: TracedRequest) => void;
}

/** One connection as telemetry sees it. */
export class ConnectionObserver {
  readonly #options: ConnectionObserverOptions;

  constructor(options: ConnectionObserverOptions) {
    this.#options = options;
    options.metrics.connectionsOpened.add(1, options.transport);
  }

  /** Follows a request until {@link ObservedRequest.ended}. */
  request(request: TracedRequest): ObservedRequest {
    return new ObservedRequest(this.#options, request);
  }

  /** To be called once. @param code WebSocket close code */
  closed(code: number): void {
    const { metrics, labels, span, client } = this.#options;
    metrics.connectionsClosed.add(1, labels.closeCodes.has(code) ? String(code) : OTHER);
    span?.end(code, client());
  }
}

/** One request on its way. */
export class ObservedRequest {
  /** Undefined without traces. */
  readonly span: RequestSpan | undefined;
  readonly #options: ConnectionObserverOptions;
  readonly #method: string;
  readonly #arrivedAtMs = performance.now();

  constructor(options: ConnectionObserverOptions, request: TracedRequest) {
    this.#options = options;
    this.#method = options.labels.methods.has(request.method) ? request.method : OTHER;
    this.span = options.span?.request(request, () => options.onInvalidCarrier(request));
  }

  /** What a client is told in place of an inner error's text. */
  get traceId(): string | undefined {
    return this.span?.traceId;
  }

  ended(error: Refusal | undefined): void {
    const { metrics, labels, client } = this.#options;
    metrics.requestDuration.observe((performance.now() - this.#arrivedAtMs) / MS_PER_SECOND, this.#method);
    if (error === undefined) {
      metrics.requests.add(1, this.#method, NO_ERROR);
    } else {
      metrics.requests.add(1, this.#method, labels.errorCodes.has(error.code) ? String(error.code) : OTHER);
      const { reason } = error;
      metrics.refusals.add(1, reason !== undefined && labels.reasons.has(reason) ? reason : OTHER);
    }
    this.span?.end(error, client());
  }
}
