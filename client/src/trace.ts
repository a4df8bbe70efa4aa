/**
 * The trace context that goes with a request, taken from the OpenTelemetry that the program has registered. Imports none: it must load in a
 * browser and in programs that have no such package. Knows no socket.
 */
import type { TraceCarrier } from './wire.js';

/**
 * Gives the context to send with the next request, or undefined for none.
 *
 * @example
 * import type { TraceSource } from 'execwire-client';
 * const traceContext: TraceSource = () => ({ traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' });
 * await using traced = await connect('ws://127.0.0.1:4500', { traceContext });
 * console.log((await traced.exec(['sh', '-c', 'echo ${TRACEPARENT%-*-*}'])).stdout); // 00-0af7651916cd43dd8448eb211c80319c
 */
export type TraceSource = () => TraceCarrier | undefined;

/** Where `@opentelemetry/api` 1.x keeps what was registered, for all its copies in a program; the 1 is its major version. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

/** The two parts that are needed of it: one gives the active context, the other writes it as headers. */
interface RegisteredApi {
  readonly context?: { active(): unknown };
  readonly propagation?: {
    inject(context: unknown, carrier: object, setter: { set(carrier: object, key: string, value: string): void }): void;
  };
}

/** The context that is active in the calling program; undefined where no SDK is registered or no span is active. */
export function activeTrace(): TraceCarrier | undefined {
  const api = (globalThis as { [REGISTERED]?: RegisteredApi })[REGISTERED];
  if (api?.context === undefined || api.propagation === undefined) return undefined;
  const headers = new Map<string, string>();
  api.propagation.inject(api.context.active(), headers, { set: (_carrier, key, value) => headers.set(key, value) });
  const traceparent = headers.get('traceparent');
  const tracestate = headers.get('tracestate');
  if (traceparent === undefined) return undefined;
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate };
}
