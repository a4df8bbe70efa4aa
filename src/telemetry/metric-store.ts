/**
 * Counts. One cell for each set of label values, created at its first use. Recording is a look-up and an addition, so cheap that every request can do
 * it. Knows no exporter: `prometheus.ts` does the exposition.
 */
import { type Instrument, type InstrumentKey, instruments } from './instruments.js';

/** One line of an exposition. */
export interface Sample {
  /** Given if it is not the name of the metric itself: `_bucket`, `_sum`, `_count`. */
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** What every metric offers. */
export interface Metric {
  readonly instrument: Instrument;
  samples(): Sample[];
}

const SEPARATOR = '\u0000';

/** A counter or a gauge. */
export class Series implements Metric {
  readonly instrument: Instrument;
  readonly #cells = new Map<string, { readonly labels: Record<string, string>; value: number }>();

  constructor(instrument: Instrument) {
    this.instrument = instrument;
    if (instrument.labels.length === 0) this.#cell([]);
  }

  /** @param labelValues in the order of the definition */
  add(by: number, ...labelValues: string[]): void {
    this.#cell(labelValues).value += by;
  }

  set(value: number, ...labelValues: string[]): void {
    this.#cell(labelValues).value = value;
  }

  samples(): Sample[] {
    return [...this.#cells.values()].map(({ labels, value }) => ({ labels, value }));
  }

  #cell(labelValues: string[]): { value: number } {
    const key = labelValues.join(SEPARATOR);
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = { labels: labelsOf(this.instrument, labelValues), value: 0 };
      this.#cells.set(key, cell);
    }
    return cell;
  }
}

interface HistogramCell {
  readonly labels: Record<string, string>;
  /** Counts of each bucket alone; the last one is above all bounds. */
  readonly counts: number[];
  sum: number;
}

/** A histogram with fixed buckets. */
export class Histogram implements Metric {
  readonly instrument: Instrument;
  readonly #bounds: readonly number[];
  readonly #cells = new Map<string, HistogramCell>();

  constructor(instrument: Instrument) {
    this.instrument = instrument;
    this.#bounds = instrument.buckets ?? [];
  }

  /** @param label the value of its one label */
  observe(value: number, label: string): void {
    let cell = this.#cells.get(label);
    if (cell === undefined) {
      const counts = new Array<number>(this.#bounds.length + 1).fill(0);
      cell = { labels: labelsOf(this.instrument, [label]), counts, sum: 0 };
      this.#cells.set(label, cell);
    }
    let at = 0;
    while (at < this.#bounds.length && value > (this.#bounds[at] ?? 0)) at += 1;
    cell.counts[at] = (cell.counts[at] ?? 0) + 1;
    cell.sum += value;
  }

  samples(): Sample[] {
    return [...this.#cells.values()].flatMap(({ labels, counts, sum }) => {
      const { name } = this.instrument;
      let cumulative = 0;
      const buckets = counts.map((count, at): Sample => {
        cumulative += count;
        return {
          metricName: `${name}_bucket`,
          labels: { ...labels, le: this.#bounds[at] ?? '+Inf' },
          value: cumulative,
        };
      });
      const total = { metricName: `${name}_sum`, labels, value: sum };
      return [...buckets, total, { metricName: `${name}_count`, labels, value: cumulative }];
    });
  }
}

/** All metrics of one server, by their key in the table. */
export type Metrics = {
  readonly [K in InstrumentKey]: (typeof instruments)[K]['kind'] extends 'histogram' ? Histogram : Series;
};

/** Kinds that start with a zero, so that a first failure shows as a change. */
const KINDS = ['tty', 'streamed', 'buffered'];
const SPAN_LOSSES = ['queue_full', 'export_failed'];
const FILE_DIRECTIONS = ['received', 'sent'];

/** Creates all metrics, at zero. @param version of the server */
export function createMetrics(version: string): Metrics {
  const entries = Object.entries<Instrument>(instruments).map(([key, instrument]) => [
    key,
    instrument.kind === 'histogram' ? new Histogram(instrument) : new Series(instrument),
  ]);
  const metrics = Object.fromEntries(entries) as Metrics;
  metrics.buildInfo.set(1, version, process.version);
  for (const kind of KINDS) metrics.commands.add(0, kind, 'success');
  for (const reason of SPAN_LOSSES) metrics.spansDropped.set(0, reason);
  for (const direction of FILE_DIRECTIONS) metrics.fileBytes.set(0, direction);
  return metrics;
}

function labelsOf(instrument: Instrument, values: string[]): Record<string, string> {
  return Object.fromEntries(instrument.labels.map((label, at) => [label, values[at] ?? '']));
}
