/** Checks that telemetry has the same names in the code, the dashboard, the alerts and the page. Knows no name. */
import { readFileSync } from 'node:fs';
import { collectDefaultMetrics, Registry } from 'prom-client';
import t from 'tap';
import { instruments } from '../../src/telemetry/instruments.js';
import { createMetrics, Histogram } from '../../src/telemetry/metric-store.js';
import { attributes, events, spanNames } from '../../src/telemetry/trace-vocabulary.js';

const page = readFileSync('docs/observability.md', 'utf8');
const dashboard = readFileSync('deploy/observability/grafana-dashboard.json', 'utf8');
const rules = readFileSync('deploy/observability/prometheus-rules.yaml', 'utf8');

/** All names that a query can use. */
function exposedNames(): Set<string> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const names = registry.getMetricsAsArray().map(({ name }) => name);
  for (const metric of Object.values(createMetrics('1'))) {
    names.push(metric.instrument.name);
    if (metric instanceof Histogram)
      for (const part of ['bucket', 'sum', 'count']) names.push(`${metric.instrument.name}_${part}`);
  }
  return new Set(names);
}

t.test('dashboard and alerts use metrics that exist, and the dashboard uses all of them', (t) => {
  const exposed = exposedNames();
  const queries = [
    ...dashboard.matchAll(/"expr": "((?:[^"\\]|\\.)*)"/g),
    ...rules.matchAll(/expr: (?:>-\s+)?((?:.+\n?)+?)\s+(?:for|- alert):/g),
  ];
  t.ok(queries.length > 20);
  const used = new Set(
    [dashboard, rules].flatMap((text) => text.match(/\b(?:execwire|process|nodejs)_[a-z0-9_]+/g) ?? []),
  );
  for (const name of used) t.ok(exposed.has(name), name);
  // Metrics that are not read raise no other alert.
  t.match(rules, /expr: up\{[^}]*\} == 0\n/, 'an alert tells of targets that are down');
  for (const { name } of Object.values(instruments)) t.match(dashboard, new RegExp(`\\b${name}`), `${name} is drawn`);
  t.end();
});

t.test('page lists every metric, span, attribute and event with its meaning, and no other', (t) => {
  for (const { name, kind, help, labels } of Object.values(instruments)) {
    const names = labels.map((label) => `\`${label}\``).join(', ');
    t.ok(page.includes(`| \`${name}\` | ${kind} | ${names} | ${help} |\n`), name);
  }
  for (const table of [attributes, events]) {
    for (const [name, meaning] of Object.entries(table)) t.ok(page.includes(`| \`${name}\` | ${meaning} |\n`), name);
  }
  for (const name of Object.values(spanNames)) t.ok(page.includes(`| \`${name}\` |`), name);
  const known = new Set<string>([...Object.values(instruments).map(({ name }) => name)]);
  for (const name of page.match(/\bexecwire_[a-z_]+/g) ?? []) t.ok(known.has(name), name);
  const keys = new Set<string>(Object.keys(attributes));
  for (const name of page.match(/(?<=`)(?:rpc|jsonrpc|execwire|process)\.[a-z_.]+(?=`)/g) ?? [])
    t.ok(keys.has(name), name);
  t.end();
});
