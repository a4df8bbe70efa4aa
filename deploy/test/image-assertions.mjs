// Owns what must hold of the built image at rest: size, user, entry point, labels, and what must not be in it. Runs nothing from it but node.
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.mjs';
import { check } from './report.mjs';

/** Megabytes (10^6) of all layers, gzip-compressed as a registry stores them. */
const MAX_COMPRESSED_MB = 150;
const FORBIDDEN_PROGRAMS = [
  'npm',
  'npx',
  'corepack',
  'yarn',
  'gcc',
  'g++',
  'cc',
  'make',
  'python3',
  'node-gyp',
  'esbuild',
  'tsc',
];
const PROGRAM_FOLDERS = ['usr/local/sbin', 'usr/local/bin', 'usr/sbin', 'usr/bin', 'sbin', 'bin'];
/** koffi with its native part, and ws, which the client's own files import. */
const EXTERNALS = ['koffi', '@koromix', 'ws'];
const LABELS = ['title', 'description', 'licenses', 'version', 'revision', 'base.name'];

async function compressedMegabytes(store, image, workFolder) {
  const folder = join(workFolder, 'pushed');
  await store.buildah('push', '--quiet', image, `oci:${folder}:image`);
  const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'));
  const blob = (digest) => join(folder, 'blobs', ...digest.split(':'));
  const manifest = JSON.parse(await readFile(blob(index.manifests[0].digest), 'utf8'));
  await rm(folder, { recursive: true, force: true });
  return manifest.layers.reduce((sum, layer) => sum + layer.size, 0) / 1e6;
}

async function filesBelow(folder, accept) {
  const found = [];
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (accept(entry)) found.push(join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1));
  }
  return found;
}

function checkConfig(config) {
  check('runs as user 1000:1000', config.User === '1000:1000', config.User);
  check(
    'tini is the entry point, without -g',
    config.Entrypoint?.[0] === '/usr/bin/tini' && !config.Entrypoint.includes('-g'),
    config.Entrypoint?.join(' '),
  );
  check(
    'its HEALTHCHECK asks wherever the server listens',
    config.Healthcheck?.Test?.slice(-2).join(' ') === 'execwire health',
    config.Healthcheck?.Test?.join(' '),
  );
  // Arguments of `docker run` replace the command: the address must not go with it.
  check(
    'listens on port 8080 by a variable, whatever its arguments',
    config.Env.includes('EXECWIRE_LISTEN=ws://0.0.0.0:8080') && config.Cmd?.join(' ') === 'serve',
    config.Cmd?.join(' '),
  );
  check('stops with SIGTERM', config.StopSignal === 'SIGTERM' || config.StopSignal === '15', config.StopSignal);
  check('leaves NODE_ENV to the commands', !config.Env.some((entry) => entry.startsWith('NODE_ENV=')));
  const missing = LABELS.filter((label) => !config.Labels?.[`org.opencontainers.image.${label}`]);
  check('has its labels', missing.length === 0, missing.join(' '));
}

/** What each commit changes stands last, so that the layers stay those that a registry and the hosts have. */
function checkLayers(dockerfile) {
  const [, afterRevision = ''] = dockerfile.split(/^ARG REVISION\b.*$/m);
  const making = afterRevision.match(/^(RUN|COPY|ADD)\b.*$/gm) ?? [];
  check('a new revision makes no layer new', afterRevision !== '' && making.length === 0, making[0]);
}

async function checkFiles(rootFolder, projectFolder) {
  const programs = PROGRAM_FOLDERS.flatMap((folder) => FORBIDDEN_PROGRAMS.map((name) => join(folder, name))).filter(
    (path) => existsSync(join(rootFolder, path)),
  );
  check('has no package manager, compiler or build tool', programs.length === 0, programs.join(' '));

  const application = join(rootFolder, 'opt/execwire');
  const { packages } = JSON.parse(await readFile(join(projectFolder, 'package-lock.json'), 'utf8'));
  const direct = Object.keys(packages).filter(
    (path) => packages[path].dev === true && existsSync(join(application, path)),
  );
  check('has no development dependency', direct.length === 0, direct.join(' '));
  const modules = (await readdir(join(application, 'node_modules'))).filter((name) => !name.startsWith('.'));
  const unknown = modules.filter((name) => !EXTERNALS.includes(name));
  check('has no package that is in the bundle', unknown.length === 0, unknown.join(' '));

  const natives = await filesBelow(application, (entry) => /\.(node|dll|exe|dylib|so)$/.test(entry.name));
  const platform = `linux-${process.arch}`;
  const foreign = natives.filter((path) => !path.includes(platform) || path.includes('musl'));
  check(
    'has native parts for its own platform only',
    natives.length > 0 && foreign.length === 0,
    foreign.join(' ') || `${natives.length} files`,
  );

  const { stdout } = await run(['find', rootFolder, '-xdev', '-type', 'f', '-perm', '/6000']);
  check('has no set-user-id program', stdout === '', stdout.trim());
  const workspace = await stat(join(rootFolder, 'workspace'));
  check('gives /workspace to the user', workspace.uid === 1000 && workspace.gid === 1000);
  // runc gives a tmpfs the mode of the folder it is mounted on, and root as its owner.
  check('opens /workspace to any user', (workspace.mode & 0o7777) === 0o1777, (workspace.mode & 0o7777).toString(8));
  const { stdout: writable } = await run([
    'find',
    application,
    '-xdev',
    '(',
    '-uid',
    '1000',
    '-o',
    '-perm',
    '-o+w',
    ')',
    '!',
    '-type',
    'l',
  ]);
  check('keeps its own files from the user', writable === '', writable.trim().split('\n')[0]);
}

/**
 * @param {import('./image-store.mjs').ImageStore} store
 * @param {string} image
 * @param {{ rootFolder: string, projectFolder: string, workFolder: string }} folders `rootFolder`: the image, mounted
 * @returns {Promise<object>} the image's configuration, for the pods made from it
 */
export async function checkImage(store, image, { rootFolder, projectFolder, workFolder }) {
  const { Docker, OCIv1 } = JSON.parse(await store.buildah('inspect', '--type', 'image', image));
  checkConfig(Docker.config);
  checkLayers(await readFile(join(projectFolder, 'Dockerfile'), 'utf8'));
  await checkFiles(rootFolder, projectFolder);
  const megabytes = await compressedMegabytes(store, image, workFolder);
  check(`is at most ${MAX_COMPRESSED_MB} MB compressed`, megabytes <= MAX_COMPRESSED_MB, `${megabytes.toFixed(0)} MB`);
  return { ...OCIv1.config, ...Docker.config };
}
