// Owns what must hold inside a running pod: PID 1, user, file systems, privileges, orphans, health check. Returns problems; decides nothing.
import { WireClient } from '../../test/support/wire-client.js';
import { probe } from './probe.mjs';

/** Orphans left by one command; Node as PID 1 would leave each as a zombie. */
const ORPHANS = 20;
/** The health check prints nothing; 0 is healthy. */
const INSPECTION = `
cat /proc/1/comm
id -u
grep -E '^(NoNewPrivs|Seccomp|CapEff|CapBnd):' /proc/self/status | tr -s '\\t' ' '
for path in /home/node /usr/local /opt/execwire /etc; do (touch $path/probe) 2>/dev/null && echo "writable $path"; done
grep -q ' / / ro,' /proc/self/mountinfo || grep -qE ' / / [^ ]*\\bro\\b' /proc/self/mountinfo || echo 'writable /'
for path in /tmp /workspace; do touch $path/probe || echo "read-only $path"; done
for program in npm npx gcc make python3; do command -v $program; done
true`;
const ORPHAN_SCRIPT = `i=0; while [ $i -lt ${ORPHANS} ]; do (setsid sh -c 'sleep 0.1' >/dev/null 2>&1 &); i=$((i+1)); done; sleep 1
grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l`;

/**
 * Inspects a pod with its own service: each probe is a command/exec.
 * @param {import('./pod.mjs').Pod} pod
 * @param {{ token: string }} credentials
 * @returns {Promise<string[]>}
 */
export async function podProblems(pod, { token }) {
  const client = await WireClient.open(pod.url('', 'ws', 'ws'), { token }).then((opened) => opened.initialize());
  const shell = async (script) => {
    const { result, error } = await client.exec(['/bin/sh', '-c', script]);
    return result?.stdout ?? JSON.stringify(error);
  };
  const inspected = await shell(INSPECTION);
  const zombies = (await shell(ORPHAN_SCRIPT)).trim();
  await client.close();
  const [pid1, user] = inspected.split('\n');
  const field = (name) => new RegExp(`^${name}: (\\S+)`, 'm').exec(inspected)?.[1];
  const noCapabilities = /^0+$/;
  const healthCheck = pod.node.image.Healthcheck?.Test ?? ['NONE'];
  const rules = [
    [`PID 1 is ${pid1}, not tini`, pid1 === 'tini'],
    [`commands run as user ${user}`, user === '1000'],
    ['commands may gain privileges', field('NoNewPrivs') === '1'],
    ['no seccomp filter is active', field('Seccomp') === '2' || pod.node.seccomp === undefined],
    ['capabilities are left', noCapabilities.test(field('CapEff') ?? '') && noCapabilities.test(field('CapBnd') ?? '')],
    [`${zombies} of ${ORPHANS} orphans are zombies`, zombies === '0'],
    ['the HEALTHCHECK fails', (await pod.exec(healthCheck.slice(1))).code === 0],
    ['the liveness path does not answer 200', (await pod.probeOnce('livenessProbe')) === 200],
    ['its metrics are not on their own port', (await probe(pod.url('/metrics', 'metrics'))) === 200],
    ['clients can ask for its metrics', (await probe(pod.url('/metrics'))) === 404],
  ];
  return [
    ...rules.filter(([, holds]) => !holds).map(([problem]) => problem),
    ...(inspected.match(/^(writable|read-only|\/).*$/gm) ?? []),
  ];
}

/**
 * @param {import('./pod.mjs').Pod} pod
 * @returns {Promise<string[]>} problems, if a client without the token gets in
 */
export async function strangerProblems(pod) {
  const problems = [];
  for (const token of [undefined, 'wrong']) {
    const refusal = await WireClient.open(pod.url('', 'ws', 'ws'), { token }).then(
      () => 'nothing',
      (error) => error.message,
    );
    if (!refusal.includes('401'))
      problems.push(`a client ${token === undefined ? 'without' : 'with a wrong'} token got ${refusal}, not 401`);
  }
  return problems;
}
