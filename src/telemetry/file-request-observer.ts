/** Follows one request for files by HTTP: its numbers and its line in the log. Knows no route. */
import type { Principal } from '../auth/principal.js';
import type { Log } from '../log.js';
import type { Metrics } from './metric-store.js';

const MS_PER_SECOND = 1000;
/** Labels of metrics; any other method is `other`. */
const METHODS = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'POST']);
const READS = new Set(['GET', 'HEAD']);
/** Instead of a status: the connection ended before the answer was complete. */
const BROKEN = 'broken';

/** How a request ended. */
export interface FileRequestEnd {
  /** Undefined when the connection ended before the answer was complete. */
  readonly status: number | undefined;
  readonly path: string;
  /** Null if it was refused before anybody was asked. */
  readonly principal: Principal | null;
}

/** One request as telemetry sees it. */
export class FileRequestObserver {
  /** Bytes of the body that came. */
  receivedBytes = 0;
  /** Bytes of the body that were read for the answer. */
  sentBytes: () => number = () => 0;
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #method: string;
  readonly #startedAtMs = performance.now();

  constructor(metrics: Metrics, log: Log, method: string) {
    this.#metrics = metrics;
    this.#log = log;
    this.#method = METHODS.has(method) ? method : 'other';
    metrics.fileRequestsInFlight.add(1);
  }

  /** To be called once. */
  ended({ status, path, principal }: FileRequestEnd): void {
    const metrics = this.#metrics;
    const durationMs = performance.now() - this.#startedAtMs;
    const [received, sent] = [this.receivedBytes, this.sentBytes()];
    metrics.fileRequestsInFlight.add(-1);
    metrics.fileRequests.add(1, this.#method, status === undefined ? BROKEN : String(status));
    metrics.fileRequestDuration.observe(durationMs / MS_PER_SECOND, this.#method);
    metrics.fileBytes.add(received, 'received');
    metrics.fileBytes.add(sent, 'sent');
    const line = {
      method: this.#method,
      path,
      status: status ?? BROKEN,
      receivedBytes: received,
      sentBytes: sent,
      durationMs: Math.round(durationMs),
      ...(principal === null ? {} : { principal: principal.kind }),
      ...(principal?.subject === undefined ? {} : { subject: principal.subject }),
    };
    if (READS.has(this.#method)) this.#log.debug(line, 'file request');
    else this.#log.info(line, 'file request');
  }
}
