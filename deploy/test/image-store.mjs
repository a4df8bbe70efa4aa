// Owns one private buildah store: its storage driver, its settings, and its end (mounts included). Knows nothing of what is built in it.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.mjs';

/** Unqualified names stay local: nothing is ever pulled. */
const REGISTRIES = 'unqualified-search-registries = []\nshort-name-mode = "disabled"\n';
const POLICY = '{"default":[{"type":"insecureAcceptAnything"}]}\n';

/** Milliseconds; a build that runs beside other work on a busy machine takes minutes. */
const BUILD_TIMEOUT_MS = 600_000;

/** A build that is interrupted must not leave its RUN steps behind: they end with their PID namespace. */
const BUILD_NAMESPACES = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];

/**
 * @typedef {object} ImageStore
 * @property {string} driver `overlay` or `vfs`
 * @property {string} folder where it keeps images
 * @property {(...argv: string[]) => Promise<string>} buildah runs buildah on this store and returns its stdout
 * @property {() => Promise<void>} remove unmounts and deletes the store
 */

/**
 * Opens a store with overlay, or with vfs where the file system has no overlay.
 * @param {string} folder private to this run
 * @returns {Promise<ImageStore>}
 */
export async function openImageStore(folder) {
  await mkdir(join(folder, 'tmp'), { recursive: true });
  const registriesFile = join(folder, 'registries.conf');
  const policyFile = join(folder, 'policy.json');
  await writeFile(registriesFile, REGISTRIES);
  await writeFile(policyFile, POLICY);

  const buildahWith =
    (driver) =>
    async (command, ...argv) => {
      const policy = ['bud', 'from', 'commit', 'push'].includes(command) ? ['--signature-policy', policyFile] : [];
      const result = await run(
        [
          ...(command === 'bud' ? BUILD_NAMESPACES : []),
          'buildah',
          '--root',
          join(folder, 'root'),
          '--runroot',
          join(folder, 'run'),
          '--storage-driver',
          driver,
          '--registries-conf',
          registriesFile,
          command,
          ...policy,
          ...argv,
        ],
        {
          ...(command === 'bud' ? { timeoutMs: BUILD_TIMEOUT_MS } : {}),
          env: { TMPDIR: join(folder, 'tmp'), BUILDAH_ISOLATION: 'chroot', STORAGE_OPTS: '' },
        },
      );
      return result.stdout;
    };

  const overlay = buildahWith('overlay');
  const works = await overlay('from', 'scratch')
    .then((name) => overlay('mount', name.trim()).then(() => overlay('rm', name.trim())))
    .then(
      () => true,
      () => false,
    );
  if (!works) await unmountBelow(folder).then(() => rm(join(folder, 'root'), { recursive: true, force: true }));
  const driver = works ? 'overlay' : 'vfs';
  return {
    driver,
    folder: join(folder, 'root'),
    buildah: buildahWith(driver),
    remove: async () => {
      await unmountBelow(folder);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Unmounts everything at or below a folder, the newest mount first. */
export async function unmountBelow(folder) {
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((point) => point === folder || point.startsWith(`${folder}/`));
  for (const point of mounts.reverse()) await run(['umount', '-l', point], { check: false });
}
