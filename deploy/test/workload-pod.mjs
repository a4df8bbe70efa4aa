// One pod of the user's own image, run from the rendered Deployment: the init container fills the volume, and commands run in that image. Started by
// run.mjs inside private network, mount and PID namespaces, which end with it; its input is one JSON file.
import { mkdir, readFile } from 'node:fs/promises';
import { connect } from '../../client/src/node.js';
import { Pod } from './pod.mjs';
import { createPlaces } from './pod-network.mjs';
import { check, failedChecks } from './report.mjs';
import { runtimeDefaultSeccomp } from './seccomp-profile.mjs';

const TOKEN = 'deploy-test-token';
/** What a command sees: the image's programs, the chart's folders, tini as PID 1, and nothing of execwire that it could change or that came with it. */
const INSPECTION = `
python3 -c 'print("python", 6 * 7)'
pwd
echo "$HOME"
cat /proc/1/comm
touch /workspace/probe && echo 'workspace is writable'
(touch /execwire/probe) 2>/dev/null && echo 'execwire is writable'
(touch /etc/probe) 2>/dev/null && echo 'the image is writable'
command -v node
env | grep -c -E '^(LD_|NODE_|EXECWIRE_[^C])'
true`;

const { workload, runtime, usersBase, workFolder, cgroup } = JSON.parse(await readFile(process.argv[2], 'utf8'));
const podSpec = workload.spec.template.spec;
const [place] = await createPlaces(1, workFolder);
const pod = new Pod('execwire-workload', podSpec, place, {
  workFolder,
  cgroup,
  rootFolder: usersBase.rootFolder,
  image: usersBase.image,
  initImage: runtime,
  seccomp: await runtimeDefaultSeccomp(),
  secretFiles: { token: `${TOKEN}\n` },
});
await mkdir(pod.bundle, { recursive: true });
await pod.start();
check("a pod of the user's own image, with execwire by an init container, is ready", true, podSpec.containers[0].image);
const box = await connect(pod.url('', 'ws', 'ws'), { token: TOKEN, reconnect: false });
const { args } = podSpec.containers[0];
const cwd = args[args.indexOf('--default-cwd') + 1];
const { stdout } = await box.exec(['/bin/sh', '-c', INSPECTION]);
const seen = stdout.trim().split('\n');
const wanted = ['python 42', cwd, '/workspace', 'tini', 'workspace is writable', '0'];
check('its commands find their image, and execwire out of reach', seen.join() === wanted.join(), seen.join(', '));
const running = box.exec(['/bin/sh', '-c', 'echo started; sleep 1; echo done']);
await running.waitFor('started');
const ended = pod.terminate();
const { stdout: whole } = await running;
const { exitCode, killed } = await ended;
await box.close();
check('it drains, exit code 0', whole === 'started\ndone' && exitCode === 0 && !killed, `${exitCode}, ${whole}`);
process.exit(failedChecks().length > 0 ? 1 : 0);
