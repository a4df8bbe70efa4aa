// Owns the check of compose.yaml without an engine: its rules, the files it mounts, and its command line run by the real server and scraped by Prometheus.
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ServerProcess } from '../../test/support/server-process.js';
import { composeProblems, replicasOf } from './compose-rules.mjs';
import { composeSchemaProblems } from './compose-schema.mjs';
import { probe } from './probe.mjs';
import { scrapeProblems } from './prometheus.mjs';
import { builtServer } from './rendered-server.mjs';
import { check, checkCaught } from './report.mjs';
import { findProgram } from './requirements.mjs';

const TOKEN_IN_CONTAINER = '/run/secrets/token';
const METRICS_IN_CONTAINER = 'http://0.0.0.0:9464';

/** One fault each; `replica` is the service that all three share. */
const FAULTS = {
  'nothing can be executed in a tmpfs': ({ replica }) => {
    replica.tmpfs[1] = '/workspace:size=1g';
  },
  'files that fill the memory': ({ replica }) => {
    replica.tmpfs[1] = '/workspace:exec,size=2g';
  },
  'a tmpfs that Podman refuses': ({ replica }) => {
    replica.tmpfs[1] += ',uid=1000';
  },
  'a health check by another address': ({ replica }) => {
    replica.command.push('--listen', 'ws://0.0.0.0:9000');
  },
  'no health check in the file': ({ replica }) => {
    delete replica.healthcheck;
  },
  'metrics on a port that nobody scrapes': ({ replica }) => {
    replica.command[replica.command.indexOf('--metrics-listen') + 1] = 'http://0.0.0.0:9465';
  },
  'a balancer that stops first': ({ services }) => {
    services.haproxy.depends_on = { 'execwire-1': { condition: 'service_healthy' } };
  },
  'a balancer that is cut off': ({ services }) => {
    delete services.haproxy.stop_grace_period;
  },
  'a balancer that ends at once': ({ services }) => {
    services.haproxy.stop_signal = 'SIGTERM';
  },
  'a balancer that asks for names once': ({ services }) => {
    delete services.haproxy.environment;
  },
  'an image without its registry': ({ services }) => {
    services.prometheus.image = 'prom/prometheus';
  },
};

/**
 * @param {(text: string) => object} parseYaml with merge keys
 * @param {{ projectFolder: string, workFolder: string }} folders
 */
export async function checkComposeFile(parseYaml, { projectFolder, workFolder }) {
  const read = (path) => readFile(join(projectFolder, path), 'utf8');
  const [text, dockerfile, haproxy, prometheusText] = await Promise.all(
    ['compose.yaml', 'Dockerfile', 'deploy/haproxy/haproxy.cfg', 'deploy/compose/prometheus.yaml'].map(read),
  );
  const beside = { dockerfile, haproxy, prometheus: parseYaml(prometheusText) };
  const problems = composeProblems(parseYaml(text), beside);
  check(
    'its rules hold: replicas, health, files, metrics, balancer, names',
    problems.length === 0,
    problems.join('; '),
  );
  for (const [name, inject] of Object.entries(FAULTS)) {
    // Parsed again, so that the three replicas share one object as in the file.
    const file = parseYaml(text);
    inject({ services: file.services, replica: file.services['execwire-1'] });
    checkCaught(`in compose.yaml, ${name}`, composeProblems(file, beside));
  }

  const unschematic = await composeSchemaProblems(parseYaml(text));
  check('it has the form of Compose v2, by the published schema', unschematic.length === 0, unschematic.join('; '));
  const unknownKey = parseYaml(text.replace('stop_grace_period', 'stop_graceperiod'));
  checkCaught('in compose.yaml, a key that Compose v2 does not know', await composeSchemaProblems(unknownKey));

  const { services } = parseYaml(text);
  const mounted = Object.values(services).flatMap((service) =>
    (service.volumes ?? []).map((volume) => volume.split(':')[0]),
  );
  const missing = mounted.filter((path) => !existsSync(join(projectFolder, path)));
  check('every mounted file exists', missing.length === 0, missing.join(' '));

  const [[, replica]] = replicasOf(services, haproxy);
  await checkCommandLine(replica, { projectFolder, workFolder });
}

/** Runs what a replica runs: the image says where it listens, and compose.yaml the rest. */
async function checkCommandLine(replica, { projectFolder, workFolder }) {
  const cwd = join(workFolder, 'compose');
  await mkdir(cwd, { recursive: true });
  await writeFile(join(cwd, 'token'), 'compose-test-token\n');
  const places = { [METRICS_IN_CONTAINER]: 'http://127.0.0.1:0', [TOKEN_IN_CONTAINER]: join(cwd, 'token'), '5s': '0s' };
  const argv = builtServer(replica.command, places, projectFolder);
  const running = await ServerProcess.start({ argv, cwd, env: { EXECWIRE_LISTEN: 'ws://127.0.0.1:0' } });
  try {
    check('its command line serves', (await probe(`${running.httpUrl}/readyz`)) === 200);
    await running.logged('"msg":"metrics"');
    const { metrics } = JSON.parse(running.lines.find((line) => line.includes('"msg":"metrics"')));
    check('its metrics need no token', (await probe(metrics)) === 200, metrics);
    await checkScrape(new URL(metrics).host, { projectFolder, workFolder });
  } finally {
    check('SIGTERM ends it with exit code 0', (await running.stop()).code === 0);
  }
}

/** @param {string} address of the one server that stands for the first replica; the two others are not there */
async function checkScrape(address, folders) {
  if (findProgram('prometheus') === undefined) {
    console.log('  --   nothing was scraped: prometheus is missing (Debian: apt-get install prometheus)');
    return;
  }
  const problems = await scrapeProblems(address, folders);
  check('Prometheus scrapes it, and has an alert for those that are down', problems.length === 0, problems.join('; '));
}
