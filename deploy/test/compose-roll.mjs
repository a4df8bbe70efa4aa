// Owns a rolling recreate of the replicas of compose.yaml, as it is, by podman-compose, under load. Knows nothing of other ways to run an image.
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from './command.mjs';
import { startLoad } from './load-client.mjs';
import { waitForStatus } from './probe.mjs';
import { check } from './report.mjs';
import { reportRolling } from './rolling-report.mjs';

const REPLICAS = ['execwire-1', 'execwire-2', 'execwire-3'];
const URL = 'http://127.0.0.1:8080/readyz';
const TOKEN = 'compose-test-token';
/** The file's stop_grace_period, which podman-compose 1.0 ignores. */
const GRACE_SECONDS = 115;
const LEAST_REQUESTS = 1500;
/** Milliseconds. podman-compose waits a second after each container. */
const LIMIT_MS = 120_000;
/** HAProxy asks for a name each second, and checks each 500 ms. */
const BALANCER_NOTICE_MS = 2500;

/** @returns {Promise<string>} a limit of this process, as setrlimit(2) takes it */
async function hardLimit(name) {
  const [, hard] = new RegExp(`^${name} +\\S+ +(\\d+|unlimited)`, 'm').exec(
    await readFile('/proc/self/limits', 'utf8'),
  );
  return hard === 'unlimited' ? '-1' : hard;
}

/**
 * Only what a test needs beside the file: a folder that outlives the replicas, for the proof of what ran; and the limits of this process, because root may
 * not raise them everywhere, and Podman raises that of processes as soon as the other one is named.
 */
const overrideFor = async (journal) => `services:
${REPLICAS.map((name) => `  ${name}:\n    volumes: ['${journal}:/journal']\n`).join('')}  haproxy:
    ulimits: { nofile: ${await hardLimit('Max open files')}, nproc: ${await hardLimit('Max processes')} }
`;

/**
 * @param {{ projectFolder: string, workFolder: string, haproxyImage: string }} options
 */
export async function checkComposeRoll({ projectFolder, workFolder, haproxyImage }) {
  const folder = join(workFolder, 'compose-roll');
  const journal = join(folder, 'journal');
  await mkdir(journal, { recursive: true });
  await chmod(journal, 0o777);
  const [token, override] = [join(folder, 'token'), join(folder, 'override.yaml')];
  await writeFile(token, `${TOKEN}\n`);
  await writeFile(override, await overrideFor(journal));
  const env = { HAPROXY_IMAGE: haproxyImage, EXECWIRE_TOKEN_PATH: token };
  const files = ['-f', join(projectFolder, 'compose.yaml'), '-f', override];
  const compose = (...argv) =>
    run(['podman-compose', '-p', 'execwire', ...files, ...argv], { cwd: projectFolder, env, timeoutMs: LIMIT_MS });
  const recreate = async (name) => {
    await compose('stop', '--timeout', String(GRACE_SECONDS), name);
    const { stdout } = await run(['podman', 'inspect', '--format', '{{.State.ExitCode}}', `execwire_${name}_1`]);
    check(`${name} leaves with exit code 0`, stdout.trim() === '0', stdout.trim());
    await compose('up', '--detach', '--no-build', '--no-deps', '--force-recreate', name);
  };

  await compose('up', '--detach', '--no-build', ...REPLICAS, 'haproxy');
  await waitForStatus(URL, 200, { timeoutMs: LIMIT_MS });
  const startedAt = Date.now();
  const load = startLoad({ url: 'ws://127.0.0.1:8080/', token: TOKEN, cwd: '/journal', workers: 8 });
  await delay(BALANCER_NOTICE_MS);
  for (const name of REPLICAS) {
    await recreate(name);
    await delay(BALANCER_NOTICE_MS);
  }
  while (load.figures.sent < LEAST_REQUESTS && Date.now() - startedAt < LIMIT_MS) await delay(100);
  const figures = await load.stop();
  await reportRolling('podman-compose', figures, {
    folders: [journal],
    restarts: REPLICAS.length,
    seconds: (Date.now() - startedAt) / 1000,
    leastRequests: LEAST_REQUESTS,
  });
  await run(['podman', 'rm', '--all', '--force', '--time', '1']);
}
