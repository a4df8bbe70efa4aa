// Owns an image of Debian's HAProxy that stands in for the registry's: the program, its libraries, and the place where its configuration is mounted.
import { join } from 'node:path';
import { run } from './command.mjs';
import { findProgram } from './requirements.mjs';

const NAME = 'localhost/haproxy:deploy-test';

/** @param {import('./image-store.mjs').ImageStore} store @returns {Promise<string>} the image's name */
export async function buildHaproxyImage(store) {
  const program = findProgram('haproxy');
  const { stdout } = await run(['ldd', program]);
  const libraries = stdout.split('\n').flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);
  const container = (await store.buildah('from', 'scratch')).trim();
  const rootFolder = (await store.buildah('mount', container)).trim();
  for (const path of [program, ...libraries]) await run(['install', '-D', '-m', '755', path, join(rootFolder, path)]);
  for (const folder of ['etc', 'tmp', 'usr/local/etc/haproxy']) await run(['mkdir', '-p', join(rootFolder, folder)]);
  await store.buildah('umount', container);
  // As in the registry's image: a master that takes signals, and a stop that lets connections end.
  const words = [program, '-W', '-db', '-f', '/usr/local/etc/haproxy/haproxy.cfg'];
  await store.buildah('config', '--cmd', JSON.stringify(words), '--stop-signal', 'SIGUSR1', container);
  await store.buildah('commit', '--quiet', '--rm', '--format', 'docker', container, NAME);
  return NAME;
}
