// Owns the building of the project's own Dockerfiles as they are. Knows nothing of the base image's making.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.mjs';

export const IMAGE_NAME = 'localhost/execwire:deploy-test';

/** Where Debian keeps its certificates, inside the image and on a Debian host. */
const CA_BUNDLE = '/etc/ssl/certs/ca-certificates.crt';

/** npm inside RUN uses this machine's registry and certificates; credentials are not passed on. */
async function npmrcFor(folder) {
  const { stdout } = await run(['npm', 'config', 'get', 'registry'], { cwd: folder });
  const file = join(folder, 'npmrc');
  await writeFile(file, `registry=${stdout.trim()}\ncafile=${CA_BUNDLE}\nupdate-notifier=false\n`);
  return file;
}

/**
 * Builds an image.
 * @param {import('./image-store.mjs').ImageStore} store
 * @param {{ projectFolder: string, workFolder: string, dockerfile?: string, name?: string }} options `dockerfile`: below the project's folder, default
 *   `Dockerfile`; `name`: in the store, default {@link IMAGE_NAME}
 * @returns {Promise<string>} its name
 */
export async function buildImage(store, { projectFolder, workFolder, dockerfile = 'Dockerfile', name = IMAGE_NAME }) {
  const { stdout: npmCache } = await run(['npm', 'config', 'get', 'cache'], { cwd: projectFolder });
  // What `npm ci` has fetched on this machine is not fetched again.
  const volumes = [
    '--volume',
    `${npmCache.trim()}:/root/.npm`,
    '--volume',
    `${await npmrcFor(workFolder)}:/root/.npmrc:ro`,
  ];
  if (existsSync(CA_BUNDLE)) volumes.push('--volume', `${CA_BUNDLE}:${CA_BUNDLE}:ro`);
  // The docker format keeps HEALTHCHECK; OCI drops it. The store is new each time, so layers would never be used again.
  await store.buildah(
    'bud',
    '--isolation',
    'chroot',
    '--pull-never',
    '--layers=false',
    '--format',
    'docker',
    ...volumes,
    '--tag',
    name,
    '--file',
    join(projectFolder, dockerfile),
    projectFolder,
  );
  return name;
}
