/**
 * Follows connections, requests, commands and the drain for metrics, traces and the log, with what `src/telemetry` knows. Owns who is
 * told of what, and nothing else: with no SDK only the metrics are left.
 */
import type { FastifyBaseLogger } from 'fastify';
import fp from 'fastify-plugin';
import type { Config } from '../src/config/config.js';
import type { TraceCarrier } from '../src/config/telemetry-settings.js';
import type { CommandObservation } from '../src/exec/exec-manager.js';
import type { ExecRequest } from '../src/exec/exec-request.js';
import { closeCodes } from '../src/protocol/close-codes.js';
import { errorTable } from '../src/protocol/errors.js';
import { methods } from '../src/protocol/methods.js';
import type { Call } from '../src/rpc/connection.js';
import type { Session } from '../src/session/session.js';
import { CommandObserver, kindOf, startAttributes } from '../src/telemetry/command-observer.js';
import {
  ConnectionObserver,
  type ConnectionObserverContext,
  type LabelTables,
  ObservedRequest,
  type ParentLogger,
} from '../src/telemetry/connection-observer.js';
import type { Sdk } from '../src/telemetry/sdk.js';
import { environmentOf, parseCarrier } from '../src/telemetry/trace-carrier.js';
import type { ActiveSpan, Tracing } from '../src/telemetry/tracing.js';

/** What the plugins of connections and of commands use. */
export interface TelemetryService {
  /** Follows a connection. @param upgrade trace context of the headers it came with */
  connection(session: Session, upgrade: TraceCarrier | undefined): ConnectionObserver;
  command(request: ExecRequest, session: Session, call: Call): CommandObservation;
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly telemetry: TelemetryService;
  }
}

/** Ended by the peer without a code, or broken off. @see RFC 6455 section 7.4.1 */
const CODES_WITHOUT_CLOSE = [1005, 1006];

const labels: LabelTables = {
  methods: new Set(Object.keys(methods)),
  errorCodes: new Set(Object.values(errorTable).map(({ code }) => code)),
  reasons: new Set(Object.keys(errorTable)),
  closeCodes: new Set([...Object.values(closeCodes), ...CODES_WITHOUT_CLOSE]),
};

/** What a line of the log says of the request it is about. */
export function requestFields({ request, observation }: Call): Record<string, string | number> {
  const span = observation instanceof ObservedRequest ? observation.span : undefined;
  const ids = span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
  return { requestId: request.id, method: request.method, ...ids };
}

export const telemetryPlugin = fp<{ config: Config; sdk?: Sdk | undefined }>(
  async (app, { config, sdk }) => {
    const { metrics, lifecycle } = app;
    const tracing = sdk?.tracer === undefined ? undefined : await createTracing(app.log, config, sdk.tracer);
    sdk?.exportMetrics(app.exposition);

    const loggers = new Set<ParentLogger>();
    onLevelChange(app.log, () => {
      for (const logger of loggers) logger.level = app.log.level;
    });
    const context: ConnectionObserverContext = { metrics, labels, log: app.log, loggers };

    function connection(session: Session, upgrade: TraceCarrier | undefined): ConnectionObserver {
      const { kind } = session.connection.transport;
      return new ConnectionObserver(context, session, kind, tracing?.connection(session.id, kind, upgrade));
    }

    function command(request: ExecRequest, session: Session, call: Call): CommandObservation {
      const parent = call.observation instanceof ObservedRequest ? call.observation.span : undefined;
      const span = parent?.command(startAttributes(request, config.traceArgv));
      return new CommandObserver({
        metrics,
        kind: kindOf(request),
        span,
        env: span?.env ?? handedOn(call.request.trace),
        isConnected: () => session.connection.isOpen,
      });
    }

    app.decorate('telemetry', { connection, command });

    let drain: ActiveSpan | undefined;
    lifecycle.on('leaving', () => {
      if (lifecycle.phase !== 'leaving') return;
      drain = tracing?.drain({
        'execwire.drain.connections': app.sessions.size,
        'execwire.drain.commands': app.exec.running,
      });
    });
    lifecycle.on('draining', () => drain?.event('draining'));
    lifecycle.on('closed', () => drain?.end());
  },
  { name: 'telemetry', dependencies: ['lifecycle', 'sessions', 'metrics'] },
);

async function createTracing(
  log: FastifyBaseLogger,
  config: Config,
  tracer: NonNullable<Sdk['tracer']>,
): Promise<Tracing> {
  const { Tracing } = await import('../src/telemetry/tracing.js');
  return new Tracing({
    tracer,
    serverParent: config.telemetry.parent,
    isMethod: (name) => labels.methods.has(name),
    onInvalidServerCarrier: () => log.warn('TRACEPARENT of the server is no valid trace context and is ignored'),
  });
}

/** Without traces of our own the context of a request still reaches its command. */
function handedOn(carrier: unknown): Record<string, string | null> {
  const context = parseCarrier(carrier);
  return context === undefined ? {} : environmentOf(context);
}

/** pino's loggers tell of a new level; their children keep the one they were born with. */
function onLevelChange(log: FastifyBaseLogger, callback: () => void): void {
  if (!('on' in log) || typeof log.on !== 'function') return;
  log.on('level-change', (...args: unknown[]) => {
    if (args.at(-1) === log) callback();
  });
}
