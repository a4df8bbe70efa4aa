/** A small OTLP/HTTP receiver that keeps everything it is sent. Knows nothing of the sender. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

type Value = {
  stringValue?: string;
  intValue?: number | string;
  doubleValue?: number;
  arrayValue?: { values: Value[] };
};
type KeyValues = Array<{ key: string; value: Value }>;

interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  name: string;
  kind: number;
  attributes: KeyValues;
  events: Array<{ name: string }>;
  links: Array<{ traceId: string; spanId: string }>;
  status: { code?: number; message?: string };
}

interface OtlpMetric {
  name: string;
  sum?: { isMonotonic: boolean; dataPoints: unknown[] };
  gauge?: { dataPoints: unknown[] };
  histogram?: { dataPoints: Array<{ bucketCounts: unknown[]; explicitBounds: number[]; count: number }> };
}

/** A span as it arrived. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly string[];
  readonly links: ReadonlyArray<{ traceId: string; spanId: string }>;
  readonly failed: boolean;
  /** Name of the instrumentation that made it. */
  readonly scope: string;
  readonly service: unknown;
}

/** A receiver that listens. */
export interface OtlpReceiver {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly endpoint: string;
  readonly spans: ReceivedSpan[];
  readonly metrics: OtlpMetric[];
  /** Everything that was sent, as text. */
  readonly bodies: string[];
}

/** Starts a receiver; the end of the test closes it. */
export async function startReceiver(t: Test): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const metrics: OtlpMetric[] = [];
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      bodies.push(text);
      const body = JSON.parse(text);
      if (request.url === '/v1/traces') spans.push(...spansOf(body));
      for (const { scopeMetrics } of body.resourceMetrics ?? []) {
        for (const scope of scopeMetrics) metrics.push(...scope.metrics);
      }
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, metrics, bodies };
}

function spansOf(body: {
  resourceSpans: Array<{
    resource: { attributes: KeyValues };
    scopeSpans: Array<{ scope: { name: string }; spans: OtlpSpan[] }>;
  }>;
}): ReceivedSpan[] {
  return body.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId,
        name: span.name,
        kind: span.kind,
        attributes: attributesOf(span.attributes),
        events: span.events.map(({ name }) => name),
        links: span.links.map(({ traceId, spanId }) => ({ traceId, spanId })),
        failed: span.status.code === 2,
        scope: scope.name,
        service: attributesOf(resource.attributes)['service.name'],
      })),
    ),
  );
}

function attributesOf(pairs: KeyValues): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, plain(value)]));
}

function plain(value: Value): unknown {
  if (value.arrayValue !== undefined) return value.arrayValue.values.map(plain);
  return value.stringValue ?? value.doubleValue ?? Number(value.intValue);
}
