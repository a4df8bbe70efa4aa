// Owns the faults that the runtime checks must catch: a short grace, node as PID 1, a writable root. Each pod is started, judged and ended here.
import { mkdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { startLoad } from './load-client.mjs';
import { Pod } from './pod.mjs';
import { podProblems } from './pod-assertions.mjs';
import { checkCaught } from './report.mjs';

/** Seconds. Shorter than any terminal of the load (3 s), so that one is always cut. */
const SHORT_GRACE_SECONDS = 2;
/** Milliseconds for terminals to be open before the pod is ended. */
const UNDER_WAY_MS = 1000;

const FAULTS = {
  'node-is-pid-1': {
    name: 'node as PID 1',
    inject: (spec) => {
      spec.containers[0].command = ['node', '/opt/execwire/dist/execwire.cjs'];
    },
  },
  'writable-root': {
    name: 'a writable root',
    inject: (spec) => {
      spec.containers[0].securityContext.readOnlyRootFilesystem = false;
    },
  },
};

async function startFaulty(key, inject, { podSpec, node, place }) {
  const faulty = structuredClone(podSpec);
  inject(faulty);
  const pod = new Pod(`execwire-${key}`, faulty, place, node);
  await mkdir(pod.bundle, { recursive: true });
  await pod.start();
  return pod;
}

/**
 * @param {{ podSpec: object, node: import('./pod.mjs').Node, place: import('./pod-network.mjs').Place, token: string }} run `place`: free
 */
export async function checkRuntimeFaults({ token, ...run }) {
  for (const [key, { name, inject }] of Object.entries(FAULTS)) {
    const pod = await startFaulty(key, inject, run);
    checkCaught(`in a running pod, ${name}`, await podProblems(pod, { token }));
    await pod.signal('KILL');
    await pod.exited;
  }
  const shorten = (spec) => {
    spec.terminationGracePeriodSeconds = SHORT_GRACE_SECONDS;
    spec.containers[0].lifecycle = {};
  };
  const pod = await startFaulty('short-grace', shorten, run);
  const load = startLoad({ url: pod.url('/', 'ws', 'ws'), token, workers: 2, terminals: 2 });
  await delay(UNDER_WAY_MS);
  const stopped = load.abort();
  const end = await pod.terminate();
  const figures = await stopped;
  const cut = figures.ptysStarted - figures.ptysCompleted;
  checkCaught('a grace period shorter than the drain', [
    ...(end.killed && cut > 0
      ? [`killed after ${end.seconds.toFixed(1)} s, ${cut} of ${figures.ptysStarted} terminals cut`]
      : []),
  ]);
}
