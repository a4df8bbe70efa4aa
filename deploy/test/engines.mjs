// Real engines: Podman, its kube play, podman-compose, and dockerd where it starts. Started by run.mjs in a place of its own, which ends with
// it; its input is one JSON file.
import { readFile } from 'node:fs/promises';
import { checkComposeRoll } from './compose-roll.mjs';
import { checkDocker } from './docker-checks.mjs';
import { Engine } from './engine.mjs';
import { checkContainer, checkWays } from './engine-containers.mjs';
import { settle } from './engine-place.mjs';
import { checkKubePlay } from './kube-play.mjs';
import { failedChecks, step } from './report.mjs';

const input = JSON.parse(await readFile(process.argv[2], 'utf8'));
const { image, usersImage, usersBase, runtimeImage, runtimeFolder } = input;
const storage = await settle(input);

step('podman');
const podman = new Engine('podman', ['podman']);
/** Podman leaves the times of its checks to systemd, which is not here: the check is asked for by hand. */
async function podmanHealth(container) {
  await podman.run(['healthcheck', 'run', container], { check: false });
  return podman.inspect(container, '{{.State.Health.Status}}');
}
await checkContainer(podman, 'the image', { argv: ['--tmpfs', '/workspace', image, 'serve'], health: podmanHealth });
await checkWays(podman, { usersImage, usersBase, runtimeImage, runtimeFolder, health: podmanHealth });
step('podman kube play: one replica of the rendered chart');
await checkKubePlay(input);

step('podman-compose: a rolling recreate of compose.yaml under load');
await checkComposeRoll(input);

step('docker: the image, the ways into one, and health');
await checkDocker(storage, input);
process.exit(failedChecks().length > 0 ? 1 : 0);
