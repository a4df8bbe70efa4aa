// A rolling restart of three plain replicas behind HAProxy on loopback, under load:
// `node --import=tsx deploy/test/rolling-haproxy.mjs`.
// Needs haproxy and the built server; no root, no container. Skipped, with a message, where haproxy is missing.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ServerProcess } from '../../test/support/server-process.js';
import { freePort, startBalancer } from './balancer.mjs';
import { balancerConfiguration } from './balancer-config.mjs';
import { onCleanup, refuseWhileUndoing } from './cleanup.mjs';
import { startLoad } from './load-client.mjs';
import { waitForStatus } from './probe.mjs';
import { check, step } from './report.mjs';
import { runProgram } from './rolling-program.mjs';
import { reportRolling } from './rolling-report.mjs';

const REPLICAS = 3;
/** The load goes on until so many requests are sent. */
const LEAST_REQUESTS = 5000;
const LOAD_TIMEOUT_MS = 120_000;
/** Longer than HAProxy needs to notice: it checks every 500 ms. */
const DRAIN_DELAY = '1500ms';
/** HAProxy's first successful check after a start: `inter 500ms rise 1`, and as much again. */
const BALANCER_RISE_MS = 1000;

async function main() {
  const workFolder = await mkdtemp(join(tmpdir(), 'execwire-rolling-'));
  onCleanup('work folder', () => rm(workFolder, { recursive: true, force: true }));

  // Each replica has a loopback address of its own, so that no outgoing connection can take its port while it restarts.
  const start = async (index, port) => {
    const cwd = join(workFolder, `replica-${index}`);
    await mkdir(cwd, { recursive: true });
    const listen = `ws://127.0.0.${index + 2}:${port}`;
    refuseWhileUndoing();
    return ServerProcess.start({ listen, flags: ['--drain-delay', DRAIN_DELAY, '--drain-timeout', '30s'], cwd });
  };
  const replicas = [];
  onCleanup('replicas', () => Promise.all(replicas.map((replica) => replica.crash())));
  for (let index = 0; index < REPLICAS; index += 1) replicas.push(await start(index, 0));

  const port = await freePort();
  const addresses = replicas.map((replica) => `${replica.host}:${replica.port}`);
  const file = await balancerConfiguration('haproxy', { addresses, port, workFolder });
  const balancer = await startBalancer('haproxy', { file, workFolder, port });
  onCleanup('haproxy', () => balancer.stop());
  await waitForStatus(`http://127.0.0.1:${port}/readyz`, 200);

  step('rolling restart of three replicas behind HAProxy, under load');
  const startedAt = Date.now();
  const load = startLoad({ url: `ws://127.0.0.1:${port}`, workers: 16, pauseMs: 15 });
  await delay(BALANCER_RISE_MS);
  for (const [index, replica] of replicas.entries()) {
    const { code, signal } = await replica.stop();
    check(`replica ${index + 1} leaves with exit code 0`, code === 0, String(signal ?? code));
    replicas[index] = await start(index, replica.port);
    await waitForStatus(`${replica.httpUrl}/readyz`, 200);
    await delay(BALANCER_RISE_MS);
  }
  while (load.figures.sent < LEAST_REQUESTS && Date.now() - startedAt < LOAD_TIMEOUT_MS) await delay(100);
  const figures = await load.stop();
  const folders = replicas.map((_, index) => join(workFolder, `replica-${index}`));
  await reportRolling('haproxy', figures, {
    folders,
    restarts: REPLICAS,
    seconds: (Date.now() - startedAt) / 1000,
    leastRequests: LEAST_REQUESTS,
  });
}

await runProgram('the rolling restart behind HAProxy', 'haproxy', main);
