// Owns a run of Debian's Prometheus with the files that compose.yaml mounts: whether it gets the metrics of a server, and whether its alerts work.
import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { findProgram } from './requirements.mjs';

/** Milliseconds until every target is scraped and every rule evaluated, both once a second here. */
const LIMIT_MS = 60_000;
const POLL_MS = 200;
/** Targets that are not there: their ports are privileged, and nobody listens. */
const NOBODY = ['127.0.0.1:1', '127.0.0.1:2'];

/** Writes the project's configuration with a run's addresses and a short interval; nothing else is changed. */
async function writeConfiguration(address, { projectFolder, workFolder }) {
  const folder = join(workFolder, 'prometheus');
  await mkdir(folder, { recursive: true });
  let text = await readFile(join(projectFolder, 'deploy/compose/prometheus.yaml'), 'utf8');
  for (const [index, target] of [address, ...NOBODY].entries())
    text = text.replace(new RegExp(`execwire-${index + 1}:\\d+`), target);
  text = text.replaceAll(/_interval: \d+s/g, '_interval: 1s');
  text = text.replace(
    '/etc/prometheus/rules/*.yaml',
    join(projectFolder, 'deploy/observability/prometheus-rules.yaml'),
  );
  const file = join(folder, 'prometheus.yml');
  await writeFile(file, text);
  return { file, data: join(folder, 'data') };
}

async function start({ file, data }) {
  const child = spawn(
    findProgram('prometheus'),
    [`--config.file=${file}`, `--storage.tsdb.path=${data}`, '--web.listen-address=127.0.0.1:0'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const said = [];
  const address = await new Promise((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line);
      const found = /msg="Listening on" address=(\S+)/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
    void exited.then(() => reject(new Error(`prometheus ended: ${said.slice(-5).join('\n')}`)));
  });
  return {
    ask: async (path) => (await (await fetch(`http://${address}/api/v1/${path}`)).json()).data,
    stop: () => {
      child.kill('SIGKILL');
      return exited;
    },
  };
}

/** @returns {Promise<string[]>} what is not yet as it should be */
async function problemsNow(ask, address) {
  const { activeTargets } = await ask('targets');
  const { groups } = await ask('rules');
  const rules = groups.flatMap((group) => group.rules);
  const down = rules.find(({ name }) => name === 'ExecwireDown')?.alerts ?? [];
  const isUp = ({ scrapeUrl, health }) => health === (scrapeUrl.includes(`//${address}/`) ? 'up' : 'down');
  return [
    ...activeTargets.filter((target) => !isUp(target)).map((target) => `${target.scrapeUrl}: ${target.lastError}`),
    ...(activeTargets.length === 1 + NOBODY.length ? [] : [`${activeTargets.length} targets`]),
    ...rules.filter(({ health }) => health !== 'ok').map(({ name, lastError }) => `${name}: ${lastError ?? 'not yet'}`),
    ...(rules.length > 0 ? [] : ['no rules']),
    ...(down.length === NOBODY.length ? [] : [`ExecwireDown tells of ${down.length} targets, not ${NOBODY.length}`]),
  ];
}

/**
 * @param {string} address of a server's metrics; it stands for the first of three replicas, and the two others are not there
 * @param {{ projectFolder: string, workFolder: string }} folders
 * @returns {Promise<string[]>} problems; empty when all is well
 */
export async function scrapeProblems(address, folders) {
  const { ask, stop } = await start(await writeConfiguration(address, folders));
  try {
    const deadline = Date.now() + LIMIT_MS;
    let problems = await problemsNow(ask, address);
    while (problems.length > 0 && Date.now() < deadline) {
      await delay(POLL_MS);
      problems = await problemsNow(ask, address);
    }
    return problems;
  } finally {
    await stop();
  }
}
