/**
 * Follows connections, requests, commands and the drain for metrics, traces and the log. Decides what each of them is told; without a tracer only the
 * metrics and the log are left. Knows no SDK.
 */
import type { CommandObservation } from '../commands/table.js';
import type { ExecRequest } from '../dialects/command-exec/exec-request.js';
import type { Log } from '../log.js';
import { closeCodes } from '../protocol/close-codes.js';
import { errorTable } from '../protocol/errors.js';
import { execServerMethods } from '../protocol/methods/exec-server.js';
import { execServerFileMethods } from '../protocol/methods/exec-server-files.js';
import { methods } from '../protocol/methods.js';
import type { Call } from '../rpc/connection.js';
import { environmentOf, parseCarrier, type TraceCarrier } from '../rpc/trace-context.js';
import type { Session } from '../session/session.js';
import { CommandObserver, kindOf, startAttributes } from './command-observer.js';
import {
  ConnectionObserver,
  type ConnectionObserverContext,
  type LabelTables,
  ObservedRequest,
} from './connection-observer.js';
import { FileRequestObserver } from './file-request-observer.js';
import type { Metrics } from './metric-store.js';
import type { CommandSpan, Tracing } from './tracing.js';

/** The peer ended the connection without a code, or it broke. @see RFC 6455 section 7.4.1 */
const CODES_WITHOUT_CLOSE = [1005, 1006];

const labels: LabelTables = {
  methods: new Set([...Object.keys(methods), ...Object.keys(execServerMethods), ...Object.keys(execServerFileMethods)]),
  errorCodes: new Set(Object.values(errorTable).map(({ code }) => code)),
  reasons: new Set(Object.keys(errorTable)),
  closeCodes: new Set([...Object.values(closeCodes), ...CODES_WITHOUT_CLOSE]),
};

/** Whether the protocol has a method of this name. */
export function isMethod(name: string): boolean {
  return labels.methods.has(name);
}

export interface TelemetryOptions {
  readonly metrics: Metrics;
  readonly log: Log;
  /** Undefined without traces. */
  readonly tracing: Tracing | undefined;
  /** Whether the arguments of commands go into traces. */
  readonly traceArgv: boolean;
}

/** Follows the drain. */
export interface DrainObservation {
  /** New work is refused from now on. */
  draining(): void;
  ended(): void;
}

/** Makes the observers of one service. */
export class Telemetry {
  readonly #options: TelemetryOptions;
  readonly #context: ConnectionObserverContext;
  /** Loggers of connections. */
  readonly #loggers = new Set<Log>();
  /** Spans of commands that requests may come back to, by the request of their start. */
  readonly #detachableSpans = new WeakMap<ExecRequest, CommandSpan>();

  constructor(options: TelemetryOptions) {
    this.#options = options;
    const { metrics, log } = options;
    this.#context = { metrics, labels, log, loggers: this.#loggers };
  }

  /** To be called when the level of the log changes, because a child logger keeps the level it was created with. */
  followLevel(level: string): void {
    for (const logger of this.#loggers) logger.level = level;
  }

  /** Follows a connection. @param upgrade trace context in the headers of the upgrade */
  connection(session: Session, upgrade: TraceCarrier | undefined): ConnectionObserver {
    const { kind } = session.connection.transport;
    const span = this.#options.tracing?.connection(session.id, kind, upgrade);
    return new ConnectionObserver(this.#context, session, span);
  }

  /** Follows a command. */
  command(request: ExecRequest, session: Session, call: Call): CommandObservation {
    const { metrics, tracing, traceArgv } = this.#options;
    const trace = call.observation?.trace;
    const attributes = { ...startAttributes(request, traceArgv), 'execwire.connection.id': session.id };
    const span = trace === undefined ? undefined : tracing?.command(trace, attributes);
    if (span !== undefined && request.detachable !== undefined) this.#detachableSpans.set(request, span);
    return new CommandObserver({
      metrics,
      kind: kindOf(request),
      span,
      env: span?.env ?? handedOn(call.request.trace),
      isConnected: () => session.connection.isOpen,
    });
  }

  /** A request views a command that runs already: links its span to that of the command. @param started what was asked for at its start */
  returned(started: ExecRequest, { observation }: Call): void {
    const span = this.#detachableSpans.get(started);
    if (span !== undefined && observation instanceof ObservedRequest) observation.linkTo(span);
  }

  /** Follows a request for files by HTTP. */
  fileRequest(method: string): FileRequestObserver {
    const { metrics, log } = this.#options;
    return new FileRequestObserver(metrics, log, method);
  }

  /** Follows the drain. @param connections open at its beginning @param commands running at its beginning */
  drain(connections: number, commands: number): DrainObservation {
    const span = this.#options.tracing?.drain({
      'execwire.drain.connections': connections,
      'execwire.drain.commands': commands,
    });
    return { draining: () => span?.event('draining'), ended: () => span?.end() };
  }
}

/** Without traces of the server's own, the context of a request still reaches its command. */
function handedOn(carrier: unknown): Record<string, string | null> {
  const context = parseCarrier(carrier);
  return context === undefined ? {} : environmentOf(context);
}
