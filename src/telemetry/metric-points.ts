/** Turns scraped metrics into the data points that OTLP carries. Knows no SDK: the caller passes its constants in. */
import type { Sample } from './metric-store.js';
import type { MetricFamily } from './prometheus.js';

const MS_PER_SECOND = 1000;
const NS_PER_MS = 1_000_000;
/** The SDK's name of the type of a number that may have a fraction. */
const DOUBLE = 1;

/** The SDK's constants. */
export interface PointKinds<T, S, G, H> {
  readonly cumulative: T;
  readonly sum: S;
  readonly gauge: G;
  readonly histogram: H;
}

type Time = [seconds: number, nanoseconds: number];
type Labels = Readonly<Record<string, string | number>>;

/** One point for each set of labels. @param span the start of counting, and now */
export function metricPoints<T, S, G, H>(
  families: readonly MetricFamily[],
  kinds: PointKinds<T, S, G, H>,
  span: { startedAtMs: number; nowMs: number },
) {
  const times = { startTime: timeOf(span.startedAtMs), endTime: timeOf(span.nowMs) };
  const point = <V>(attributes: Labels, value: V) => ({ ...times, attributes, value });
  return families.map(({ name, help, type, values }) => {
    const unit = name.includes('_seconds') ? 's' : name.includes('_bytes') ? 'By' : '1';
    const descriptor = { name, description: help, unit, valueType: DOUBLE };
    const common = { descriptor, aggregationTemporality: kinds.cumulative };
    if (type === 'histogram') {
      const dataPoints = histograms(values).map(({ labels, ...value }) => point(labels, value));
      return { ...common, dataPointType: kinds.histogram, dataPoints };
    }
    const dataPoints = values.map(({ labels, value }) => point(labels, value));
    if (type === 'counter') return { ...common, dataPointType: kinds.sum, isMonotonic: true, dataPoints };
    return { ...common, dataPointType: kinds.gauge, dataPoints };
  });
}

/** Joins the buckets, the sum and the count of each set of labels; buckets are not cumulative any more. */
function histograms(samples: readonly Sample[]) {
  const byLabels = new Map<
    string,
    { labels: Labels; boundaries: number[]; counts: number[]; sum: number; count: number }
  >();
  for (const { metricName = '', labels: all, value } of samples) {
    const { le, ...labels } = all;
    const key = JSON.stringify(labels);
    const histogram = byLabels.get(key) ?? { labels, boundaries: [], counts: [], sum: 0, count: 0 };
    byLabels.set(key, histogram);
    if (metricName.endsWith('_sum')) histogram.sum = value;
    else if (metricName.endsWith('_count')) histogram.count = value;
    else {
      const below = histogram.counts.reduce((sum, count) => sum + count, 0);
      histogram.counts.push(value - below);
      if (le !== '+Inf') histogram.boundaries.push(Number(le));
    }
  }
  return [...byLabels.values()].map(({ labels, boundaries, counts, sum, count }) => ({
    labels,
    buckets: { boundaries, counts },
    sum,
    count,
  }));
}

function timeOf(ms: number): Time {
  return [Math.floor(ms / MS_PER_SECOND), (ms % MS_PER_SECOND) * NS_PER_MS];
}
