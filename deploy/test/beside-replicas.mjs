// Owns what is tried beside the replicas: a pod of the user's own image from the rendered chart, and real engines. Starts each in a place of its own.
import { join } from 'node:path';
import { removeCgroups } from './cgroups.mjs';
import { onCleanup } from './cleanup.mjs';
import { run } from './command.mjs';
import { inEnginePlace } from './engine-place.mjs';
import { buildHaproxyImage } from './haproxy-image.mjs';
import { renderOneReplica } from './kube-play.mjs';
import { NAMESPACES, programWith } from './namespaced.mjs';
import { check, say, step } from './report.mjs';
import { findProgram } from './requirements.mjs';
import { pythonTar } from './runtime-roots.mjs';

/** Milliseconds; the rest of the test goes on beside it. */
const LIMIT_MS = 400_000;
/** What compose.yaml calls the project's image. */
const COMPOSE_IMAGE = 'localhost/execwire:0.1.0';

/**
 * @param {import('./runtime-image.mjs').RuntimeImages} images
 * @param {{ workload: object, workFolder: string, cgroup: string }} options `workload`: the Deployment with the user's own image
 */
export async function checkWorkloadPod({ runtime, usersBase }, { workload, workFolder, cgroup }) {
  step("a pod of the user's own image");
  const program = await programWith('workload-pod', { workload, runtime, usersBase, workFolder, cgroup: `/${cgroup}` });
  const { code, stdout, stderr } = await run([...NAMESPACES, ...program], { check: false, timeoutMs: LIMIT_MS });
  say(`${stdout}${stderr}`.trimEnd());
  check("the pod of the user's own image passed", code === 0);
}

/**
 * Real engines with the images that are in the store.
 * @param {import('./image-store.mjs').ImageStore} store
 * @param {import('./runtime-image.mjs').RuntimeImages} images
 * @param {{ image: string, projectFolder: string, workFolder: string, cgroup: string }} options `image`: the project's own
 */
export async function checkEngines(store, { runtime, usersBase, usersImage, guide }, options) {
  const { image, projectFolder, workFolder, cgroup } = options;
  step('real engines');
  const group = `${cgroup}-engines`;
  onCleanup('control groups of engines', () => removeCgroups(group));
  await store.buildah('tag', image, COMPOSE_IMAGE);
  const input = {
    ...{ image, projectFolder, workFolder, imageStore: store.folder, driver: store.driver },
    ...{ usersImage, usersBase: usersBase.name, runtimeImage: runtime.name, guide },
    runtimeFolder: join(runtime.rootFolder, 'execwire'),
    haproxyImage: await buildHaproxyImage(store),
    oneReplica: await renderOneReplica(projectFolder, image),
    archives: await dockerArchives(store, { image, runtimeImage: runtime.name, workFolder }),
  };
  const program = inEnginePlace(group, await programWith('engines', input));
  const { code, stdout, stderr } = await run(program, { check: false, timeoutMs: LIMIT_MS });
  say(`${stdout}${stderr}`.trimEnd());
  check('the engines passed', code === 0);
}

/** The images as files, for a daemon with a store of its own; none where there is no daemon. */
async function dockerArchives(store, { image, runtimeImage, workFolder }) {
  if (findProgram('dockerd') === undefined) return undefined;
  const archives = { image: join(workFolder, 'image.tar'), runtime: join(workFolder, 'runtime.tar') };
  for (const [name, file] of [
    [image, archives.image],
    [runtimeImage, archives.runtime],
  ])
    await store.buildah('push', '--quiet', name, `docker-archive:${file}:${name}`);
  return { ...archives, base: await pythonTar() };
}
