// Owns the base image the Dockerfile starts from, made without a registry: Debian by mmdebstrap, the real Node 24 and npm from npm. Knows nothing of execwire.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.mjs';
import { cachedFolder, nodeFolder, npmFolder } from './npm-cache.mjs';

/**
 * @param {string} dockerfile path
 * @returns {Promise<string>} the default of `ARG BASE_IMAGE`, the name to commit under
 */
export async function baseImageName(dockerfile) {
  const match = /^ARG BASE_IMAGE=(\S+)$/m.exec(await readFile(dockerfile, 'utf8'));
  if (match === null) throw new Error(`${dockerfile} has no ARG BASE_IMAGE`);
  return match[1];
}

let debianTarPromise;

/** @returns {Promise<string>} path of Debian's smallest system as a tar file; made once a run at most */
export function debianTar() {
  debianTarPromise ??= makeDebianTar();
  return debianTarPromise;
}

async function makeDebianTar() {
  const folder = await cachedFolder('debian-bookworm-minbase', async (unfinished) => {
    const tar = join(unfinished, 'minbase.tar');
    await run(
      ['mmdebstrap', '--quiet', '--variant=minbase', '--include=ca-certificates', '--format=tar', 'bookworm', tar],
      {
        env: { TMPDIR: unfinished },
      },
    );
  });
  return join(folder, 'minbase.tar');
}

/**
 * Commits the base image into the given store.
 * @param {import('./image-store.mjs').ImageStore} store
 * @param {string} name exactly what FROM says
 */
export async function buildBaseImage(store, name) {
  const [tar, node, npm] = await Promise.all([debianTar(), nodeFolder(), npmFolder()]);
  const container = (await store.buildah('from', 'scratch')).trim();
  const rootFolder = (await store.buildah('mount', container)).trim();
  await run(['tar', '-xf', tar, '-C', rootFolder]);
  const local = join(rootFolder, 'usr/local');
  await run(['install', '-D', '-m', '755', join(node, 'bin/node'), join(local, 'bin/node')]);
  if (existsSync(join(node, 'include'))) await run(['cp', '-r', join(node, 'include'), local]);
  await run(['mkdir', '-p', join(local, 'lib/node_modules')]);
  await run(['cp', '-r', npm, join(local, 'lib/node_modules/npm')]);
  for (const program of ['npm', 'npx']) {
    await run(['ln', '-s', `../lib/node_modules/npm/bin/${program}-cli.js`, join(local, 'bin', program)]);
  }
  await run(['chmod', '-R', 'go-w,a+rX', join(local, 'lib/node_modules/npm')]);
  await run([
    'chmod',
    '755',
    join(local, 'lib/node_modules/npm/bin/npm-cli.js'),
    join(local, 'lib/node_modules/npm/bin/npx-cli.js'),
  ]);
  await run(['chroot', rootFolder, 'groupadd', '--gid', '1000', 'node']);
  await run([
    'chroot',
    rootFolder,
    'useradd',
    '--uid',
    '1000',
    '--gid',
    'node',
    '--shell',
    '/bin/bash',
    '--create-home',
    'node',
  ]);
  await store.buildah('umount', container);
  await store.buildah(
    'config',
    '--cmd',
    'node',
    '--env',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    container,
  );
  await store.buildah('commit', '--quiet', '--rm', '--format', 'docker', container, name);
}
