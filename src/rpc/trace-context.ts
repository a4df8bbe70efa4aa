/**
 * W3C trace contexts from and to their text form. Knows no OpenTelemetry: a context is handed on to a command even if no trace is recorded.
 * @see https://www.w3.org/TR/trace-context/
 */

/** A context as it travels, not validated. */
export interface TraceCarrier {
  readonly traceparent?: unknown;
  readonly tracestate?: unknown;
}

/** A context that has been checked. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly flags: number;
  /** The text as it came. */
  readonly tracestate: string | undefined;
}

/** version, trace id, span id, flags; versions after 00 may say more. */
const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;
const KNOWN_VERSION = '00';
const FORBIDDEN_VERSION = 'ff';
const ALL_ZERO = /^0+$/;
/** Longest `tracestate` that must be carried on; a longer one is dropped whole. */
const MAX_TRACESTATE_CHARS = 512;
/** Printable ASCII: what may stand in a header and in a variable. */
const PRINTABLE = /^[\x20-\x7e]*$/;

/** Whether there is a carrier at all: null and an empty object count as none. */
export function isPresent(carrier: unknown): boolean {
  if (carrier === undefined || carrier === null) return false;
  if (typeof carrier !== 'object') return true;
  const { traceparent, tracestate } = carrier as TraceCarrier;
  return (traceparent ?? tracestate ?? undefined) !== undefined;
}

/** @returns undefined for a carrier that is invalid; a bad `tracestate` alone is dropped */
export function parseCarrier(carrier: unknown): TraceContext | undefined {
  if (typeof carrier !== 'object' || carrier === null) return undefined;
  const { traceparent, tracestate } = carrier as TraceCarrier;
  const match = typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent) : null;
  if (match === null) return undefined;
  const [, version = '', traceId = '', spanId = '', flags = '', more] = match;
  if (version === FORBIDDEN_VERSION || (version === KNOWN_VERSION && more !== undefined)) return undefined;
  if (ALL_ZERO.test(traceId) || ALL_ZERO.test(spanId)) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16), tracestate: validState(tracestate) };
}

/** The variables that carry a context to a child. Null removes an inherited variable, which belongs to another context. */
export function environmentOf(context: TraceContext): Record<string, string | null> {
  const flags = context.flags.toString(16).padStart(2, '0');
  return {
    TRACEPARENT: `${KNOWN_VERSION}-${context.traceId}-${context.spanId}-${flags}`,
    TRACESTATE: context.tracestate ?? null,
  };
}

function validState(tracestate: unknown): string | undefined {
  if (typeof tracestate !== 'string' || tracestate === '' || tracestate.length > MAX_TRACESTATE_CHARS) return undefined;
  return PRINTABLE.test(tracestate) ? tracestate : undefined;
}
