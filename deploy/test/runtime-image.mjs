// Owns the runtime image, made by deploy/bundle/Dockerfile, and an image of a user's with the lines of the guide on top. Starts nothing from them.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.mjs';
import { buildImage } from './image-build.mjs';
import { check } from './report.mjs';
import { pythonTar } from './runtime-roots.mjs';

/** The names that the guide and its Dockerfile use. */
const RUNTIME_IMAGE = 'localhost/execwire-runtime:latest';
const USER_IMAGE = 'localhost/with-execwire:deploy-test';
const GUIDE = 'docs/guide/any-image.md';

/** @param {import('./image-store.mjs').ImageStore} store @param {string} image @returns {Promise<object>} */
async function configOf(store, image) {
  const { Docker, OCIv1 } = JSON.parse(await store.buildah('inspect', '--type', 'image', image));
  return { ...OCIv1.config, ...Docker.config };
}

/** @returns {Promise<string>} the image's root, mounted in the store */
async function mounted(store, image) {
  const container = (await store.buildah('from', '--pull-never', image)).trim();
  return (await store.buildah('mount', container)).trim();
}

/** The Dockerfile that the guide shows, as it stands there. */
async function guidesDockerfile(projectFolder) {
  const [, text] = /```dockerfile\n([^`]+)```/.exec(await readFile(join(projectFolder, GUIDE), 'utf8')) ?? [];
  const [, base] = /^FROM (\S+)$/m.exec(text ?? '') ?? [];
  if (base === undefined) throw new Error(`${GUIDE} shows no Dockerfile with a FROM`);
  return { text, base };
}

/** Debian with Python stands in for the image that the guide names. */
async function buildUsersBase(store, name) {
  const container = (await store.buildah('from', 'scratch')).trim();
  const rootFolder = (await store.buildah('mount', container)).trim();
  await run(['tar', '-xf', await pythonTar(), '-C', rootFolder, '--exclude=./dev/*']);
  await store.buildah('umount', container);
  await store.buildah('config', '--cmd', 'python3', '--env', 'PATH=/usr/local/bin:/usr/bin:/bin', container);
  await store.buildah('commit', '--quiet', '--rm', '--format', 'docker', container, name);
}

/** @typedef {{ name: string, rootFolder: string, image: object }} MountedImage `image`: its configuration */
/**
 * @typedef {{ runtime: MountedImage, usersBase: MountedImage, usersImage: string, guide: { folder: string, base: string } }} RuntimeImages `usersImage`:
 *   `usersBase` with the lines of the guide; `guide`: where its Dockerfile is, and the name after its FROM
 */

/**
 * @param {import('./image-store.mjs').ImageStore} store has the base image of the project's Dockerfiles
 * @param {{ projectFolder: string, workFolder: string }} folders
 * @returns {Promise<RuntimeImages>}
 */
export async function makeRuntimeImages(store, { projectFolder, workFolder }) {
  await buildImage(store, { projectFolder, workFolder, dockerfile: 'deploy/bundle/Dockerfile', name: RUNTIME_IMAGE });
  const runtime = {
    name: RUNTIME_IMAGE,
    rootFolder: await mounted(store, RUNTIME_IMAGE),
    image: await configOf(store, RUNTIME_IMAGE),
  };
  const entries = (await readdir(runtime.rootFolder)).join(' ');
  check('deploy/bundle/Dockerfile makes an image of /execwire and nothing else', entries === 'execwire', entries);

  const { text, base } = await guidesDockerfile(projectFolder);
  const baseName = `localhost/${base}`;
  await buildUsersBase(store, baseName);
  const guideFolder = join(workFolder, 'guide');
  await mkdir(guideFolder, { recursive: true });
  await writeFile(join(guideFolder, 'Dockerfile'), text);
  await store.buildah('bud', '--pull-never', '--layers=false', '--format', 'docker', '--tag', USER_IMAGE, guideFolder);
  const { Entrypoint = [], Healthcheck } = await configOf(store, USER_IMAGE);
  check(
    "the guide's lines put execwire into an image",
    Entrypoint[0] === '/execwire/bin/tini' && Healthcheck?.Test?.length > 1,
    Entrypoint.join(' '),
  );
  const usersBase = {
    name: baseName,
    rootFolder: await mounted(store, baseName),
    image: await configOf(store, baseName),
  };
  return { runtime, usersBase, usersImage: USER_IMAGE, guide: { folder: guideFolder, base } };
}
