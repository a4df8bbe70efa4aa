// Owns rendering of the chart and the kustomize overlays with the real helm and kubectl, and the golden files they must equal.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from './command.mjs';
import { check } from './report.mjs';

const RELEASE = ['execwire', '--namespace', 'execwire'];
/** Characters of a Service's name, by Kubernetes. */
const MAX_NAME = 63;

/**
 * @typedef {object} Renderer
 * @property {(...arguments_: string[]) => Promise<string>} chart renders the chart with further helm arguments; rejects when helm refuses
 * @property {(overlay: string) => Promise<string>} overlay renders one kustomize overlay
 * @property {() => Promise<void>} lint
 */

/**
 * @param {{ helm: string, kubectl: string }} programs
 * @param {string} deployFolder
 * @returns {Renderer}
 */
export function createRenderer({ helm, kubectl }, deployFolder) {
  const chartFolder = join(deployFolder, 'helm/execwire');
  return {
    chart: async (...arguments_) => (await run([helm, 'template', ...RELEASE, chartFolder, ...arguments_])).stdout,
    overlay: async (overlay) =>
      (await run([kubectl, 'kustomize', join(deployFolder, 'kubernetes/overlays', overlay)])).stdout,
    lint: async () => {
      await run([helm, 'lint', '--strict', chartFolder]);
    },
  };
}

/**
 * Renders everything, compares it with the golden files (or writes them), and shows that wrong values are refused.
 * @param {Renderer} renderer
 * @param {{ deployFolder: string, update: boolean }} options
 * @returns {Promise<Record<string, string>>} YAML by name
 */
export async function checkRenders(renderer, { deployFolder, update }) {
  await renderer.lint();
  check('helm lint --strict passes', true);
  const values = (name) => ['--values', join(deployFolder, 'test/values', `${name}.yaml`)];
  const rendered = {
    default: await renderer.chart(),
    full: await renderer.chart(...values('full')),
    minimal: await renderer.chart(...values('minimal')),
    keda: await renderer.chart(...values('keda')),
    workload: await renderer.chart(...values('workload')),
    'workload-image-volume': await renderer.chart(...values('workload-image-volume')),
  };
  const goldens = {
    'kubernetes/base/execwire.yaml': rendered.default,
    'test/golden/full.yaml': rendered.full,
    'test/golden/minimal.yaml': rendered.minimal,
    'test/golden/keda.yaml': rendered.keda,
    'test/golden/workload.yaml': rendered.workload,
    'test/golden/workload-image-volume.yaml': rendered['workload-image-volume'],
  };
  for (const [path, text] of Object.entries(goldens)) await checkGolden(join(deployFolder, path), path, text, update);
  // After the base is up to date.
  for (const overlay of ['dev', 'prod']) {
    rendered[overlay] = await renderer.overlay(overlay);
    const path = `test/golden/overlay-${overlay}.yaml`;
    await checkGolden(join(deployFolder, path), path, rendered[overlay], update);
  }
  for (const [what, wrong] of Object.entries({
    'an unknown value': 'replicaCounts=2',
    'a value of a wrong type': 'replicaCount=many',
    'a grace period shorter than the drain': 'terminationGracePeriodSeconds=60',
    'a digest that is none': 'auth.tokenSha256=abc',
    'a sandbox policy that is none': 'sandbox.minimum=strict',
    'a relative sandbox root': 'sandbox.roots[0]=workspace',
    'a sandbox with a network from which the token can be read': 'sandbox.minimum=readOnly,sandbox.network=true',
    'a network for a sandbox that there is not': 'sandbox.network=true',
    'autoscaling by nothing': 'autoscaling.enabled=true,autoscaling.targetCPUUtilizationPercentage=null',
    'sessions by KEDA without an address of Prometheus':
      'autoscaling.enabled=true,autoscaling.kind=keda,autoscaling.targetSessions=100',
    'a kind of autoscaling that is none': 'autoscaling.kind=vpa',
    'fewer replicas at most than at least': 'autoscaling.minReplicas=11',
    'a way into an image that is none': 'workload.image=python:3.12-slim,workload.method=sidecar',
    'no way into an image': 'workload.image=python:3.12-slim,workload.method=null',
    'an image with a space in its name': 'workload.image=python 3.12',
    'a digest in place of a tag': 'image.tag=sha256:0123',
    'a folder of an image that is not named': 'workload.defaultCwd=/srv',
  })) {
    const refused = await renderer.chart('--set', wrong).then(
      () => false,
      () => true,
    );
    check(`the chart refuses ${what}`, refused, wrong);
  }
  await checkLongName(renderer);
  return rendered;
}

/** Some objects are named after the release with an ending. */
async function checkLongName(renderer) {
  const text = await renderer.chart('--set', `fullnameOverride=${'x'.repeat(MAX_NAME)}`);
  const names = [...text.matchAll(/^ {2}name: (\S+)$/gm)].map(([, name]) => name);
  const longest = Math.max(...names.map((name) => name.length));
  check('no name is too long for Kubernetes', names.length > 0 && longest <= MAX_NAME, `${longest} characters`);
}

async function checkGolden(file, name, text, update) {
  if (update) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  const golden = await readFile(file, 'utf8').catch(() => undefined);
  check(
    `${name} equals its render`,
    golden === text,
    golden === text ? '' : 'differs: npm run test:deploy -- --update-golden, and read the diff',
  );
}
