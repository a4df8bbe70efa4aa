// Three replicas of the real image, run from the rendered Deployment, behind HAProxy and then nginx, restarted one by one under load.
// Started by run.mjs inside private network, mount and PID namespaces, which end with it; its input is one JSON file.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { anyUserProblems } from './any-user.mjs';
import { startBalancer } from './balancer.mjs';
import { checkRuntimeFaults } from './faults.mjs';
import { startLoad } from './load-client.mjs';
import { Pod } from './pod.mjs';
import { podProblems, strangerProblems } from './pod-assertions.mjs';
import { createPlaces } from './pod-network.mjs';
import { waitForStatus } from './probe.mjs';
import { check, checkCaught, failedChecks, step } from './report.mjs';
import { reportRolling } from './rolling-report.mjs';
import { sandboxProblems } from './sandbox-assertions.mjs';
import { mobySeccomp, runtimeDefaultSeccomp } from './seccomp-profile.mjs';

const BALANCER_PORT = 8080;
const LEAST_REQUESTS = 5000;
const TOKEN = 'deploy-test-token';
/** Two checks of HAProxy (500 ms each), or nginx's fail_timeout (2 s). */
const BALANCER_NOTICE_MS = 2000;

const { deployment, image, rootFolder, projectFolder, workFolder, cgroup } = JSON.parse(
  await readFile(process.argv[2], 'utf8'),
);
const podSpec = deployment.spec.template.spec;
const { maxSurge } = deployment.spec.strategy.rollingUpdate;
const node = {
  workFolder,
  rootFolder,
  image,
  cgroup,
  seccomp: await runtimeDefaultSeccomp(),
  secretFiles: { token: `${TOKEN}\n` },
};

let made = 0;
const pods = [];
/** Every folder a command of the present run may have written its journal to. */
let folders = [];

async function startPod(place) {
  made += 1;
  const pod = new Pod(`execwire-${made}`, podSpec, place, node);
  await mkdir(pod.bundle, { recursive: true });
  await pod.start();
  folders.push(pod.workspace);
  return pod;
}

/** Watches a pod while it leaves: what its probes answer then. */
async function terminateWatched(pod) {
  const seen = { ready: new Set(), alive: new Set() };
  const { sleep } = pod.container.lifecycle.preStop;
  let gone = false;
  const watch = (async () => {
    // From SIGTERM on, with half a second for it to arrive.
    await delay(sleep.seconds * 1000 + 500);
    while (!gone && pod.exitCode === undefined) {
      const [ready, alive] = await Promise.all([pod.probeOnce('readinessProbe'), pod.probeOnce('livenessProbe')]);
      // The last probe may come when the listener closes.
      if (pod.exitCode === undefined && ready !== 0) seen.ready.add(ready);
      if (pod.exitCode === undefined && alive !== 0) seen.alive.add(alive);
      await delay(200);
    }
  })();
  const end = await pod.terminate();
  gone = true;
  await watch;
  check(
    `${pod.name}: drains, exit code 0, within its grace`,
    end.exitCode === 0 && !end.killed,
    `${end.seconds.toFixed(1)} s`,
  );
  check(
    `${pod.name}: /readyz 503 and /livez 200 while draining`,
    [...seen.ready].join() === '503' && [...seen.alive].join() === '200',
    `${[...seen.ready]} and ${[...seen.alive]}`,
  );
}

async function rollBehind(program, places) {
  step(`rolling restart of ${pods.length} replicas behind ${program}, under load`);
  const file = join(projectFolder, 'deploy', program, program === 'nginx' ? 'nginx.conf' : 'haproxy.cfg');
  const balancer = await startBalancer(program, { file, workFolder: join(workFolder, program), port: BALANCER_PORT });
  await waitForStatus(`http://127.0.0.1:${BALANCER_PORT}/readyz`, 200);
  folders = pods.map((pod) => pod.workspace);
  const startedAt = Date.now();
  const load = startLoad({ url: `ws://127.0.0.1:${BALANCER_PORT}/`, token: TOKEN });
  await delay(BALANCER_NOTICE_MS);
  for (let index = 0; index < pods.length; index += 1) {
    const free = places.find((place) => !pods.some((pod) => pod.place === place));
    const old = pods[index];
    const fresh = await startPod(free);
    await delay(BALANCER_NOTICE_MS);
    await terminateWatched(old);
    pods[index] = fresh;
  }
  while (load.figures.sent < LEAST_REQUESTS && Date.now() - startedAt < 90_000) await delay(100);
  const figures = await load.stop();
  await reportRolling(program, figures, {
    folders,
    restarts: pods.length,
    seconds: (Date.now() - startedAt) / 1000,
    leastRequests: LEAST_REQUESTS,
  });
  await balancer.stop();
}

/** Policies in a pod under each profile that stands in for RuntimeDefault, and that a pod where they cannot be enforced is noticed. */
async function checkSandboxes() {
  step('sandbox policies under the default seccomp profiles');
  const place = places.find((each) => !pods.some((pod) => pod.place === each));
  const [debian] = pods;
  check("policies hold under Debian's profile", ...verdict(await sandboxProblems(debian, { token: TOKEN })));
  const moby = await mobySeccomp(projectFolder);
  const withoutLandlock = {
    ...moby,
    syscalls: moby?.syscalls.map((rule) => ({
      ...rule,
      names: rule.names.filter((name) => !name.startsWith('landlock_')),
    })),
  };
  for (const [name, seccomp] of Object.entries({ moby, withoutLandlock })) {
    if (moby === undefined) {
      check(`a pod under ${name}`, true, `skipped: no profile for ${process.arch}`);
      continue;
    }
    const pod = new Pod(`execwire-${name.toLowerCase()}`, podSpec, place, { ...node, seccomp });
    await mkdir(pod.bundle, { recursive: true });
    await pod.start();
    const problems = await sandboxProblems(pod, { token: TOKEN });
    if (seccomp === moby) check("policies hold under moby's profile", ...verdict(problems));
    else checkCaught('a profile that refuses Landlock', problems);
    await pod.signal('KILL');
    await pod.exited;
  }
}

/** @param {string[]} problems @returns {[boolean, string]} */
function verdict(problems) {
  return [problems.length === 0, problems.join('; ')];
}

step('three replicas of the image, started by runc from the rendered Deployment');
const places = await createPlaces(deployment.spec.replicas + maxSurge, workFolder);
for (let index = 0; index < deployment.spec.replicas; index += 1) pods.push(await startPod(places[index]));
check(`${pods.length} replicas are ready`, true, pods.map((pod) => `${(pod.readyMs / 1000).toFixed(1)} s`).join(', '));
const problems = [...(await podProblems(pods[0], { token: TOKEN })), ...(await strangerProblems(pods[0]))];
check(
  'inside: tini reaps, user 1000, read-only root, no capability, seccomp, health check, token',
  problems.length === 0,
  problems.join('; '),
);

const free = places.find((place) => !pods.some((pod) => pod.place === place));
check('the image runs as any user on a tmpfs', ...verdict(await anyUserProblems(podSpec, node, free)));

await checkSandboxes();

await rollBehind('haproxy', places);
await rollBehind('nginx', places);

step('the same checks with faults put in');
await checkRuntimeFaults({
  podSpec,
  node,
  place: places.find((place) => !pods.some((pod) => pod.place === place)),
  token: TOKEN,
});
process.exit(failedChecks().length > 0 ? 1 : 0);
