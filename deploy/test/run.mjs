// The deployment test, `npm run test:deploy`: runtime folder, manifests, systemd unit, compose file, images, three replicas behind two balancers, the ways
// into a user's image, and real engines. Owns the order of the parts, their private work folder and the end of everything. Installs nothing on the machine.
//   PART …           only these parts: runtime-folder manifests agent-sandboxes systemd-unit compose-file balancer-names replicas ways-in engines
//   --update-golden  writes the golden renders and the kustomize base instead of comparing them
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkAgentSandbox } from './agent-sandbox.mjs';
import { checkBalancerNames } from './balancer-names.mjs';
import { baseImageName, buildBaseImage, debianTar } from './base-image.mjs';
import { checkEngines, checkWorkloadPod } from './beside-replicas.mjs';
import { removeCgroups } from './cgroups.mjs';
import { cleanUp, cleanUpOnSignals, onCleanup } from './cleanup.mjs';
import { run, runThrough, stopRunning } from './command.mjs';
import { checkComposeFile } from './compose-file.mjs';
import { checkImage } from './image-assertions.mjs';
import { buildImage } from './image-build.mjs';
import { openImageStore } from './image-store.mjs';
import { checkManifests, renderDeployments } from './manifests.mjs';
import { NAMESPACES, programWith } from './namespaced.mjs';
import { yamlParser } from './npm-cache.mjs';
import { beside, check, failedChecks, step } from './report.mjs';
import { missingRequirements } from './requirements.mjs';
import { checkRunLine } from './run-line.mjs';
import { checkRuntimeFolder } from './runtime-folder.mjs';
import { makeRuntimeImages } from './runtime-image.mjs';
import { checkSystemdUnit } from './systemd-unit.mjs';

const projectFolder = resolve(import.meta.dirname, '../..');
const PARTS = [
  'runtime-folder',
  'manifests',
  'agent-sandboxes',
  'systemd-unit',
  'compose-file',
  'balancer-names',
  'replicas',
  'ways-in',
  'engines',
];
const update = process.argv.includes('--update-golden');
const named = process.argv.slice(2).filter((word) => word !== '--update-golden');
const unknown = named.filter((word) => !PARTS.includes(word));
if (unknown.length > 0)
  throw new Error(`${unknown.join(' ')}: expected some of ${PARTS.join(' ')}, or --update-golden`);
const wants = (part) => named.length === 0 || named.includes(part);

async function main() {
  const workFolder = await mkdtemp(join(tmpdir(), 'execwire-deploy-'));
  onCleanup('work folder', () => rm(workFolder, { recursive: true, force: true }));
  if (update) {
    step('manifests');
    await checkManifests({ projectFolder, workFolder, update });
    return;
  }
  // Started early, because it is slow the first time and depends on no other step. A failure is reported where the result is used.
  debianTar().catch(() => {});

  if (!existsSync(join(projectFolder, 'dist/execwire.cjs'))) await run(['npm', 'run', 'build'], { cwd: projectFolder });

  const cgroup = `execwire-deploy-${process.pid}`;
  onCleanup('cgroups', () => removeCgroups(cgroup));

  // It mostly waits.
  const balancerNames = wants('balancer-names') ? beside(() => checkBalancerNames({ workFolder })) : async () => {};
  if (wants('runtime-folder')) {
    step('runtime folder');
    await checkRuntimeFolder({ projectFolder, workFolder, cgroup: `/${cgroup}` });
  }
  let deployments;
  if (wants('manifests')) {
    step('manifests');
    deployments = await checkManifests({ projectFolder, workFolder, update });
  }
  if (wants('agent-sandboxes')) {
    step('agent sandboxes');
    await checkAgentSandbox({ projectFolder, workFolder });
  }
  if (wants('systemd-unit')) {
    step('systemd unit');
    await checkSystemdUnit({ projectFolder, workFolder });
  }
  if (wants('compose-file')) {
    step('compose file');
    const { parse } = await yamlParser();
    await checkComposeFile((text) => parse(text, { merge: true }), { projectFolder, workFolder });
    await checkRunLine({ projectFolder, workFolder });
  }
  await balancerNames();
  if (!wants('replicas') && !wants('ways-in') && !wants('engines')) return;
  deployments ??= await renderDeployments(projectFolder);
  await checkContainers({ ...deployments, projectFolder, workFolder, cgroup });
}

/** What needs images. The replicas mostly wait, so that the rest is tried beside them. */
async function checkContainers({ deployment, workload, projectFolder, workFolder, cgroup }) {
  step('base image, without a registry');
  const store = await openImageStore(join(workFolder, 'store'));
  onCleanup('image store', () => store.remove());
  const baseName = await baseImageName(join(projectFolder, 'Dockerfile'));
  await buildBaseImage(store, baseName);
  check(`${baseName} is made`, true, `storage driver ${store.driver}`);

  step('the Dockerfile');
  const image = await buildImage(store, { projectFolder, workFolder });
  const container = (await store.buildah('from', '--pull-never', image)).trim();
  const rootFolder = (await store.buildah('mount', container)).trim();
  const config = await checkImage(store, image, { rootFolder, projectFolder, workFolder });

  const others = beside(async () => {
    if (!wants('ways-in') && !wants('engines')) return;
    step('the runtime image, and an image of a user');
    const images = await makeRuntimeImages(store, { projectFolder, workFolder });
    if (wants('ways-in')) await checkWorkloadPod(images, { workload, workFolder, cgroup });
    if (wants('engines')) await checkEngines(store, images, { image, projectFolder, workFolder, cgroup });
  });
  if (wants('replicas')) {
    const input = { deployment, image: config, rootFolder, projectFolder, workFolder, cgroup: `/${cgroup}` };
    const { code, ended } = runThrough([...NAMESPACES, ...(await programWith('rolling-pods', input))]);
    onCleanup('replicas', ended);
    check('the replicas passed', (await code) === 0);
  }
  await others();
}

// Rendering needs only npm.
const missing = update ? [] : missingRequirements(projectFolder);
if (missing.length > 0) {
  console.log(
    `\n${'*'.repeat(72)}\nSKIPPED: the deployment test did NOT run. Missing:\n${missing.map((what) => `  - ${what}`).join('\n')}\n${'*'.repeat(72)}\n`,
  );
} else {
  cleanUpOnSignals(stopRunning);
  try {
    await main();
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    step('clean up');
    await stopRunning();
    await cleanUp();
  }
  if (failedChecks().length > 0) process.exitCode = 1;
  step(process.exitCode ? `FAILED: ${failedChecks().join('; ')}` : 'PASSED');
}
