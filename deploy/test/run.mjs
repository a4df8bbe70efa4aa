// The deployment test, `npm run test:deploy`: base image, image, manifests, systemd unit, runtime folder, and three replicas behind two balancers. Owns the order
// of the steps, their private work folder and the end of everything. Installs nothing on the machine.
//   --update-golden  writes the golden renders and the kustomize base instead of comparing them
//   --runtime-folder only the step of the runtime folder
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkAgentSandbox } from './agent-sandbox.mjs';
import { baseImageName, buildBaseImage, debianTar } from './base-image.mjs';
import { removeCgroups } from './cgroups.mjs';
import { cleanUp, cleanUpOnSignals, onCleanup } from './cleanup.mjs';
import { run, runThrough, stopRunning } from './command.mjs';
import { checkComposeFile } from './compose-file.mjs';
import { checkImage } from './image-assertions.mjs';
import { buildImage } from './image-build.mjs';
import { openImageStore } from './image-store.mjs';
import { checkManifests } from './manifests.mjs';
import { yamlParser } from './npm-cache.mjs';
import { check, failedChecks, step } from './report.mjs';
import { missingRequirements } from './requirements.mjs';
import { checkRuntimeFolder } from './runtime-folder.mjs';
import { checkSystemdUnit } from './systemd-unit.mjs';

const projectFolder = resolve(import.meta.dirname, '../..');
const update = process.argv.includes('--update-golden');
const onlyRuntimeFolder = process.argv.includes('--runtime-folder');

async function main() {
  const workFolder = await mkdtemp(join(tmpdir(), 'execwire-deploy-'));
  onCleanup('work folder', () => rm(workFolder, { recursive: true, force: true }));

  // Started early, because it is slow the first time and depends on no other step. A failure is reported where the result is used.
  if (!update) debianTar().catch(() => {});

  if (!existsSync(join(projectFolder, 'dist/execwire.cjs'))) await run(['npm', 'run', 'build'], { cwd: projectFolder });

  const cgroup = `execwire-deploy-${process.pid}`;
  onCleanup('cgroups', () => removeCgroups(cgroup));

  if (!update) {
    step('runtime folder');
    await checkRuntimeFolder({ projectFolder, workFolder, cgroup: `/${cgroup}` });
    if (onlyRuntimeFolder) return;
  }

  step('manifests');
  const deployment = await checkManifests({ projectFolder, workFolder, update });
  if (update) return;

  step('agent sandboxes');
  await checkAgentSandbox({ projectFolder, workFolder });

  step('systemd unit');
  await checkSystemdUnit({ projectFolder, workFolder });

  step('compose file');
  const { parse } = await yamlParser();
  await checkComposeFile((text) => parse(text, { merge: true }), { projectFolder, workFolder });

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

  const input = join(workFolder, 'input.json');
  await writeFile(
    input,
    JSON.stringify({ deployment, image: config, rootFolder, projectFolder, workFolder, cgroup: `/${cgroup}` }),
  );
  // Network, mounts and processes end with this one process, even after a failure.
  const namespaces = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const { code, ended } = runThrough([
    ...namespaces,
    process.execPath,
    // The loader of the wire client.
    ...process.execArgv,
    join(import.meta.dirname, 'rolling-pods.mjs'),
    input,
  ]);
  onCleanup('replicas', ended);
  check('the replicas passed', (await code) === 0);
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
