/**
 * Counts what happens to sampled spans between their end and the receiver: exported, or lost and why. Wraps the SDK's own processor and exporter,
 * which do not count lost spans. Knows both by their shape only.
 */

/** Ends spans, as the SDK's processors do. */
interface Processor<S> {
  onStart(span: never, context: never): void;
  onEnd(span: S): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

interface Exporter<S, R> {
  export(spans: S[], done: (result: R) => void): void;
  shutdown(): Promise<void>;
  forceFlush?(): Promise<void>;
}

/** Result code of a successful export. */
const SUCCESS = 0;
/** Bit in the flags of a span context. */
const SAMPLED = 1;

/** Numbers since the start. */
export class SpanCounts {
  exported = 0;
  queueFull = 0;
  exportFailed = 0;
  /** Spans that wait for their batch. */
  queued = 0;

  /** Wraps a batch processor. A span that would find its queue full is counted here and dropped. */
  counting<S extends { spanContext(): { traceFlags: number } }, P extends Processor<S>>(
    inner: P,
    maxQueued: number,
  ): P {
    const counts = this;
    return Object.assign(Object.create(inner) as P, {
      onEnd(span: S): void {
        if ((span.spanContext().traceFlags & SAMPLED) === 0) return;
        if (counts.queued >= maxQueued) {
          counts.queueFull += 1;
          return;
        }
        counts.queued += 1;
        inner.onEnd(span);
      },
    });
  }

  /** Wraps an exporter. */
  exporting<S, R extends { code: number }>(inner: Exporter<S, R>): Exporter<S, R> {
    return {
      export: (spans, done) => {
        this.queued -= spans.length;
        inner.export(spans, (result) => {
          if (result.code === SUCCESS) this.exported += spans.length;
          else this.exportFailed += spans.length;
          done(result);
        });
      },
      shutdown: () => inner.shutdown(),
      forceFlush: async () => inner.forceFlush?.(),
    };
  }
}
