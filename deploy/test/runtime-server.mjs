// Owns the start of a server from the runtime folder in a foreign root, by chroot or by runc. Runs inside private network, mount and PID namespaces.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ServerProcess } from '../../test/support/server-process.js';
import { run } from './command.mjs';
import { ociConfig } from './oci-config.mjs';
import { findProgram } from './requirements.mjs';
import { PRELOAD } from './runtime-roots.mjs';

const PROGRAM = ['/execwire/bin/tini', '-s', '--', '/execwire/bin/execwire'];
const FLAGS = ['--drain-timeout', '30s', '--kill-grace', '1s'];
const PATH = 'PATH=/usr/local/bin:/usr/bin:/bin';

/** What an image may set and Node must not see. @param {import('./runtime-roots.mjs').Root} root */
export function imageVariables(root) {
  const variables = { NODE_OPTIONS: '--require=/usr/lib/agent.js', NODE_PATH: '/usr/lib/nowhere' };
  return root.hasLibc ? { ...variables, LD_PRELOAD: PRELOAD } : variables;
}

/** Mounts what a container has. Everything ends with this mount namespace. @param {import('./runtime-roots.mjs').Root} root */
export async function mountForChroot(root, runtimeFolder) {
  await run(['mount', '-t', 'proc', 'proc', join(root.folder, 'proc')]);
  await run(['mount', '--rbind', '/dev', join(root.folder, 'dev')]);
  await run(['mount', '--bind', runtimeFolder, join(root.folder, 'execwire')]);
}

/**
 * @param {import('./runtime-roots.mjs').Root} root mounted
 * @param {{ user?: string, flags?: string[] }} [options] `user`: default `1000:1000`
 */
export function startInChroot(root, { user = '1000:1000', flags = [] } = {}) {
  const variables = Object.entries(imageVariables(root)).map(([name, value]) => `${name}=${value}`);
  // env(1) of the root may be missing, so that of this machine sets them, the last thing before chroot(1), whose loader only warns of the library.
  const argv = [
    'env',
    '-i',
    PATH,
    ...variables,
    findProgram('chroot'),
    `--userspec=${user}`,
    '--groups=',
    root.folder,
    ...PROGRAM,
  ];
  return ServerProcess.start({
    argv: [...argv, 'serve', '--listen', 'ws://127.0.0.1:0', ...FLAGS, ...flags],
    cwd: '/',
  });
}

/** Runs a program of the folder in a mounted root to its end. */
export function runInChroot(root, args, options = {}) {
  return run(['chroot', root.folder, '/execwire/bin/execwire', ...args], { check: false, ...options });
}

/**
 * A container as a careful cluster would run it: user 1000, read-only root, no capability, no new privileges.
 * @param {{ name: string, rootFolder: string, volumes: Record<string, { from: string, readOnly: boolean }>, command: string[], env?: object }} container
 *   `volumes` by their place
 * @param {{ workFolder: string, cgroup: string }} place
 * @returns {Promise<string[]>} the command line that runs it
 */
export async function containerCommand({ name, rootFolder, volumes, command, env = {} }, { workFolder, cgroup }) {
  const bundle = join(workFolder, 'runtime-containers', name);
  await mkdir(bundle, { recursive: true });
  const podSpec = {
    securityContext: { runAsUser: 1000, runAsGroup: 1000 },
    containers: [
      {
        command,
        env: Object.entries(env).map(([variable, value]) => ({ name: variable, value })),
        securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
        volumeMounts: Object.entries(volumes).map(([mountPath, { readOnly }]) => ({
          name: mountPath,
          mountPath,
          readOnly,
        })),
      },
    ],
  };
  const config = ociConfig(
    podSpec,
    { Env: [PATH] },
    {
      rootFolder,
      volumeFolder: (mountPath) => volumes[mountPath].from,
      networkNamespace: `/proc/${process.pid}/ns/net`,
      cgroup: `${cgroup}/${name}`,
      hostname: name,
    },
  );
  await writeFile(join(bundle, 'config.json'), JSON.stringify(config));
  return ['runc', '--root', join(workFolder, 'runc'), 'run', '--bundle', bundle, name];
}

/** @param {import('./runtime-roots.mjs').Root} root */
export async function startInContainer(root, { name, runtimeFolder, place }) {
  const argv = await containerCommand(
    {
      name,
      rootFolder: root.folder,
      volumes: { '/execwire': { from: runtimeFolder, readOnly: true } },
      command: [...PROGRAM, 'serve', '--listen', 'ws://127.0.0.1:0', ...FLAGS],
      env: imageVariables(root),
    },
    place,
  );
  return ServerProcess.start({ argv, cwd: '/' });
}
