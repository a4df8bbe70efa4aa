// Owns what is tried on a real dockerd: the guide's Dockerfile by `docker build`, the ways into an image, and health as Docker itself finds it.
import { setTimeout as delay } from 'node:timers/promises';
import { startDockerd } from './dockerd.mjs';
import { Engine } from './engine.mjs';
import { checkContainer, checkWays } from './engine-containers.mjs';
import { check, say } from './report.mjs';

const USERS_IMAGE = 'with-execwire';
const HEALTH_LIMIT_MS = 60_000;
const POLL_MS = 200;

/**
 * @param {string} storage folder for the daemon's files
 * @param {{ guide: { folder: string, base: string }, runtimeFolder: string, archives?: { image: string, runtime: string, base: string } }} input `guide`: see
 *   RuntimeImages; `archives`: the images, as `docker load` and (the base) `docker import` take them
 */
export async function checkDocker(storage, { guide, runtimeFolder, archives }) {
  const daemon = await startDockerd(storage);
  if (daemon.reason !== undefined) {
    say(`  --   skipped, and not passed: docker. ${daemon.reason}`);
    return;
  }
  // Another builder would ask a registry.
  const docker = new Engine('docker', ['env', 'DOCKER_BUILDKIT=0', ...daemon.words]);
  const loaded = [];
  for (const archive of [archives.image, archives.runtime]) {
    const { stdout } = await docker.run(['load', '--input', archive]);
    loaded.push(/Loaded image: (\S+)/.exec(stdout)?.[1] ?? '');
  }
  const [image, runtimeImage] = loaded;
  await docker.run(['tag', runtimeImage, 'execwire-runtime']);
  await docker.run(['import', '--change', 'CMD ["python3"]', archives.base, guide.base]);
  const built = await docker.run(['build', '--tag', USERS_IMAGE, guide.folder], { check: false });
  check("docker build takes the guide's Dockerfile", built.code === 0, built.stderr.trim().slice(-500));

  /** Docker asks by itself, in the time that the image or the operator says. */
  async function health(container) {
    const deadline = performance.now() + HEALTH_LIMIT_MS;
    let status;
    do {
      status = await docker.inspect(container, '{{.State.Health.Status}}');
      if (status !== 'starting') break;
      await delay(POLL_MS);
    } while (performance.now() < deadline);
    return status;
  }
  const often = ['--health-interval', '1s'];
  await checkContainer(docker, 'the image', {
    argv: [...often, '--tmpfs', '/workspace:exec', image, 'serve'],
    health,
  });
  await checkWays(docker, {
    usersImage: USERS_IMAGE,
    usersBase: guide.base,
    runtimeImage: 'execwire-runtime',
    runtimeFolder,
    options: often,
    health,
  });
  await daemon.stop();
}
