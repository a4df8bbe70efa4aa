// Owns the checks of what autoscalers look at: that the server has these metrics, and that the query of the ScaledObject counts each session of its
// own release once, by Prometheus' own rule tests. Knows no chart.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.mjs';
import { check, checkCaught } from './report.mjs';
import { findProgram } from './requirements.mjs';

/** Series of a Prometheus that scrapes one pod twice and knows another namespace and a release whose name goes on. Seven sessions are ours. */
const SERIES = [
  ['execwire-6c5d9f7b8-x2x4z', 'execwire', 'execwire', '3'],
  ['execwire-6c5d9f7b8-x2x4z', 'execwire', 'execwire-owners', '3'],
  ['execwire-6c5d9f7b8-q7w9p', 'execwire', 'execwire', '4'],
  ['execwire-blue-6c5d9f7b8-x2x4z', 'execwire', 'execwire-blue', '100'],
  ['execwire-6c5d9f7b8-x2x4z', 'staging', 'execwire', '1000'],
];
const OUR_SESSIONS = 7;

/** @param {object[]} objects one render @returns {string[]} names of our metrics that its autoscalers use */
function metricNames(objects) {
  const scalers = objects.filter(({ kind }) => kind === 'HorizontalPodAutoscaler' || kind === 'ScaledObject');
  return [...new Set(JSON.stringify(scalers).match(/execwire_[a-z_]+/g) ?? [])];
}

/**
 * @param {object[]} objects one render
 * @param {string} page docs/observability.md, which a test compares with the server
 * @returns {string[]} problems
 */
export function scalerMetricProblems(objects, page) {
  return metricNames(objects)
    .filter((name) => !page.includes(`| \`${name}\` | gauge |`))
    .map((name) => `an autoscaler follows ${name}, which is no gauge of the server`);
}

const queryOf = (objects) =>
  objects.find(({ kind }) => kind === 'ScaledObject').spec.triggers.find(({ type }) => type === 'prometheus').metadata
    .query;

/** Lets Prometheus evaluate a query over {@link SERIES}. @returns {Promise<string[]>} problems */
async function queryProblems(promtool, query, folder) {
  const rules = { groups: [{ name: 'scaler', rules: [{ record: 'sessions', expr: query }] }] };
  const tests = {
    rule_files: ['scaler-rules.json'],
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        input_series: SERIES.map(([pod, namespace, service, value]) => ({
          series: `execwire_sessions{namespace="${namespace}",pod="${pod}",service="${service}"}`,
          values: `${value}x2`,
        })),
        promql_expr_test: [
          { expr: 'sessions', eval_time: '1m', exp_samples: [{ labels: 'sessions', value: OUR_SESSIONS }] },
        ],
      },
    ],
  };
  await writeFile(join(folder, 'scaler-rules.json'), JSON.stringify(rules));
  await writeFile(join(folder, 'scaler-tests.json'), JSON.stringify(tests));
  const { code, stdout, stderr } = await run([promtool, 'test', 'rules', join(folder, 'scaler-tests.json')], {
    check: false,
  });
  return code === 0 ? [] : [`${stdout} ${stderr}`.replaceAll(/\s+/g, ' ').trim()];
}

/**
 * @param {Record<string, object[]>} rendered objects of each render
 * @param {{ projectFolder: string, workFolder: string }} folders
 */
export async function checkScalerMetrics(rendered, { projectFolder, workFolder }) {
  const page = await readFile(join(projectFolder, 'docs/observability.md'), 'utf8');
  for (const name of ['full', 'keda']) {
    const found = scalerMetricProblems(rendered[name], page);
    check(
      `autoscalers follow a gauge of the server: ${name}`,
      metricNames(rendered[name]).length > 0 && found.length === 0,
      found.join('; '),
    );
  }
  const other = structuredClone(rendered.keda);
  const trigger = other.find(({ kind }) => kind === 'ScaledObject').spec.triggers[0];
  trigger.metadata.query = 'sum(execwire_session_count)';
  checkCaught('an autoscaler by a metric that is none', scalerMetricProblems(other, page));

  const promtool = findProgram('promtool');
  if (promtool === undefined) {
    console.log(
      '  --   the query of the ScaledObject was not tried: promtool is missing (Debian: apt-get install prometheus)',
    );
    return;
  }
  const found = await queryProblems(promtool, queryOf(rendered.keda), workFolder);
  check(
    `the query of the ScaledObject counts ${OUR_SESSIONS} sessions of this release`,
    found.length === 0,
    found.join('; '),
  );
  checkCaught(
    'a query that counts other releases',
    await queryProblems(promtool, 'sum(execwire_sessions)', workFolder),
  );
}
