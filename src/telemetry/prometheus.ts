/**
 * The exposition of the metrics: a prom-client registry over the server's own counts and the defaults of Node, as text for a scrape and as data for
 * OTLP. prom-client (30 ms, 10 MB) is loaded at the first request for metrics. Knows nothing of what is counted.
 */
import type { Metric as PromMetric, Registry } from 'prom-client';
import type { Metric, Metrics, Sample } from './metric-store.js';

/** One metric with its samples. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly Sample[];
}

/** Shows the metrics. */
export interface Exposition {
  readonly contentType: string;
  /** In the text format of Prometheus. */
  text(): Promise<string>;
  families(): Promise<MetricFamily[]>;
}

/** Shows the metrics of one service. */
export class PrometheusRegistry implements Exposition {
  readonly contentType = 'text/plain; version=0.0.4; charset=utf-8';
  readonly #metrics: Metrics;
  readonly #refreshes: Array<() => void> = [];
  #registry: Promise<Registry> | undefined;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** Calls back before every answer, to set the states that are only looked up. */
  beforeEach(refresh: () => void): void {
    this.#refreshes.push(refresh);
  }

  async text(): Promise<string> {
    return (await this.#current()).metrics();
  }

  async families(): Promise<MetricFamily[]> {
    return (await (await this.#current()).getMetricsAsJSON()) as unknown as MetricFamily[];
  }

  async #current(): Promise<Registry> {
    this.#registry ??= createRegistry(this.#metrics);
    const registry = await this.#registry;
    for (const refresh of this.#refreshes) refresh();
    return registry;
  }
}

async function createRegistry(metrics: Metrics): Promise<Registry> {
  const { Registry, collectDefaultMetrics } = await import('prom-client');
  const registry = new Registry();
  for (const metric of Object.values<Metric>(metrics)) registry.registerMetric(asPromMetric(metric));
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** A registry asks a metric for no more than this. prom-client's own classes would hash the labels of every request. */
function asPromMetric(metric: Metric): PromMetric {
  const { name, help, kind: type } = metric.instrument;
  return {
    name,
    help,
    type,
    get: async () => ({ name, help, type, values: metric.samples() }),
  } as unknown as PromMetric;
}
