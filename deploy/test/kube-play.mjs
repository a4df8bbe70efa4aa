// Owns one replica of the rendered chart by `podman kube play`, which knows a part of what a kubelet does: a trial of the image and of its settings.
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '../../client/src/node.js';
import { run } from './command.mjs';
import { kubernetesPrograms } from './npm-cache.mjs';
import { waitForStatus } from './probe.mjs';
import { createRenderer } from './render.mjs';
import { check } from './report.mjs';

const PORT = 8080;
const TOKEN = 'deploy-test-token';
const LIMIT_MS = 60_000;
/** Podman ignores the grace of the pod. */
const STOP_SECONDS = 60;

/** @param {string} projectFolder @param {string} image with a tag @returns {Promise<string>} YAML */
export async function renderOneReplica(projectFolder, image) {
  const [, repository, tag] = /^(.+):([^:]+)$/.exec(image);
  const values = {
    replicaCount: '1',
    'image.repository': repository,
    'image.tag': tag,
    'auth.tokenSha256': createHash('sha256').update(TOKEN).digest('hex'),
    // There is no balancer that has to notice.
    'drain.drainDelay': '0',
  };
  const set = Object.entries(values).flatMap(([name, value]) => [
    name.startsWith('auth') ? '--set-string' : '--set',
    `${name}=${value}`,
  ]);
  return createRenderer(await kubernetesPrograms(), join(projectFolder, 'deploy')).chart(...set);
}

/** @param {{ oneReplica: string, workFolder: string }} options `oneReplica`: see {@link renderOneReplica} */
export async function checkKubePlay({ oneReplica, workFolder }) {
  const file = join(workFolder, 'one-replica.yaml');
  await writeFile(file, oneReplica);
  const played = await run(['podman', 'kube', 'play', file], { check: false });
  const [, container] = /^Container:\n([0-9a-f]+)$/m.exec(played.stdout) ?? [];
  if (container === undefined) {
    check('podman kube play starts the replica', false, `${played.stdout}${played.stderr}`.slice(-1000));
    return;
  }
  await waitForStatus(`http://127.0.0.1:${PORT}/readyz`, 200, { timeoutMs: LIMIT_MS });
  const box = await connect(`ws://127.0.0.1:${PORT}`, { token: TOKEN, reconnect: false });
  const script =
    'id -u; cat /proc/1/comm; grep CapEff /proc/self/status; touch /workspace/a /tmp/a && echo writable; touch /etc/a 2>/dev/null || echo read-only';
  const { stdout } = await box.exec(['/bin/sh', '-c', script]);
  const wanted = ['1000', 'tini', 'CapEff:\t0000000000000000', 'writable', 'read-only'];
  check(
    'podman kube play: one replica of the chart serves, as hardened as written',
    stdout.split('\n').join() === wanted.join(),
    stdout.replaceAll('\n', ', '),
  );
  const running = box.exec(['/bin/sh', '-c', 'echo started; sleep 1; echo done'], { reject: false });
  await running.waitFor('started');
  const stopping = run(['podman', 'stop', '--time', String(STOP_SECONDS), container]);
  const { stdout: whole } = await running;
  await stopping;
  await box.close();
  const { stdout: code } = await run(['podman', 'inspect', '--format', '{{.State.ExitCode}}', container]);
  check('podman kube play: a stop drains, exit code 0', whole === 'started\ndone' && code.trim() === '0', code.trim());
  await run(['podman', 'kube', 'down', file], { check: false });
}
