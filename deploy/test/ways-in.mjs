// Owns the part of the ways into a user's image: the runtime image, an image with the lines of the guide, and a pod with both from the rendered chart.
import { run } from './command.mjs';
import { NAMESPACES, programWith } from './namespaced.mjs';
import { check, say, step } from './report.mjs';
import { makeRuntimeImages } from './runtime-image.mjs';

/** Milliseconds; the rest of the test goes on beside it. */
const LIMIT_MS = 300_000;

/**
 * @param {import('./image-store.mjs').ImageStore} store
 * @param {{ workload: object, projectFolder: string, workFolder: string, cgroup: string }} options `workload`: the Deployment with the user's own image
 * @returns {Promise<{ runtimeImage: string, usersBase: string, usersImage: string }>} names of the images
 */
export async function checkWaysIn(store, { workload, projectFolder, workFolder, cgroup }) {
  step('the runtime image, and an image of a user');
  const { runtime, usersBase, usersImage } = await makeRuntimeImages(store, { projectFolder, workFolder });
  step("a pod of the user's own image");
  const program = await programWith('workload-pod', { workload, runtime, usersBase, workFolder, cgroup: `/${cgroup}` });
  const { code, stdout, stderr } = await run([...NAMESPACES, ...program], { check: false, timeoutMs: LIMIT_MS });
  say(`${stdout}${stderr}`.trimEnd());
  check("the pod of the user's own image passed", code === 0);
  return { runtimeImage: runtime.name, usersBase: usersBase.name, usersImage };
}
