// Owns the check that the image runs as any user with a tmpfs on /workspace, mounted by the runtime itself: runc gives it the mode of the image's folder, and
// root as its owner. `docker run --user` with `--tmpfs`, and OpenShift, start it so.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.mjs';
import { ociConfig } from './oci-config.mjs';

/** No line of /etc/passwd, and the group that OpenShift gives. */
const USER = { uid: 123_456, gid: 0 };
/** As Docker mounts a `tmpfs` with `exec`; compose.yaml has these sizes. */
const TMPFS = ['/tmp', '/workspace'].map((destination) => ({
  destination,
  type: 'tmpfs',
  source: 'tmpfs',
  options: ['nosuid', 'nodev', 'size=256m'],
}));
/** One command of a server on standard input and output: it starts in /workspace, writes there, and executes what it wrote. */
const SCRIPT = 'pwd && id -u && printf "#!/bin/sh\\necho executed\\n" > x && chmod 755 x && ./x';
const MESSAGES = [
  { id: 0, method: 'initialize', params: { clientInfo: { name: 'test', version: '1' } } },
  { id: 1, method: 'command/exec', params: { command: ['sh', '-c', SCRIPT] } },
];

/**
 * @param {object} podSpec of the rendered Deployment
 * @param {import('./pod.mjs').Node} node
 * @param {import('./pod-network.mjs').Place} place
 * @returns {Promise<string[]>} problems
 */
export async function anyUserProblems(podSpec, node, place) {
  const name = 'execwire-any-user';
  const bundle = join(node.workFolder, 'pods', name);
  await mkdir(bundle, { recursive: true });
  const config = ociConfig(podSpec, node.image, {
    rootFolder: node.rootFolder,
    volumeFolder: () => bundle,
    networkNamespace: place.namespace,
    cgroup: `${node.cgroup}/${name}`,
    hostname: name,
    seccomp: node.seccomp,
  });
  const isOfPod = ({ type }) => type === 'bind';
  config.mounts = [...config.mounts.filter((mount) => !isOfPod(mount)), ...TMPFS];
  config.process.user = USER;
  config.process.args = [...node.image.Entrypoint, 'serve', '--listen', 'stdio://'];
  await writeFile(join(bundle, 'config.json'), JSON.stringify(config));
  const input = MESSAGES.map((message) => `${JSON.stringify(message)}\n`).join('');
  const argv = ['runc', '--root', join(node.workFolder, 'runc'), 'run', '--bundle', bundle, name];
  const { code, stdout, stderr } = await run(argv, { input, check: false });
  const reply = stdout.split('\n').find((line) => line.includes('"id":1'));
  const { result, error } = JSON.parse(reply ?? '{}');
  const wanted = `/workspace\n${USER.uid}\nexecuted\n`;
  if (code === 0 && result?.stdout === wanted) return [];
  return [`exit code ${code}, ${JSON.stringify(result ?? error ?? stderr.slice(-500))}`];
}
