// Owns the manifest phase: renders, golden files, strict types, reference checks, and the faults each must catch.
import { join } from 'node:path';
import { kubernetesPrograms, modelsFolder, yamlParser } from './npm-cache.mjs';
import { referenceCheckProblems } from './reference-checks.mjs';
import { checkRenders, createRenderer } from './render.mjs';
import { checkRenderedServer } from './rendered-server.mjs';
import { check, checkCaught } from './report.mjs';
import { checkScalerMetrics } from './scaler-metrics.mjs';
import { strictProblems } from './strict-types.mjs';

/** @typedef {{ deployment: object, workload: object }} Deployments of the default render, and of that with the user's own image */

/**
 * The renders that pods are made from, unchecked.
 * @param {string} projectFolder
 * @returns {Promise<Deployments>}
 */
export async function renderDeployments(projectFolder) {
  const deployFolder = join(projectFolder, 'deploy');
  const { parseAllDocuments } = await yamlParser();
  const renderer = createRenderer(await kubernetesPrograms(), deployFolder);
  const deploymentOf = async (...values) =>
    parseAllDocuments(await renderer.chart(...values))
      .map((document) => document.toJS())
      .find((object) => object?.kind === 'Deployment');
  const workload = join(deployFolder, 'test/values/workload.yaml');
  return { deployment: await deploymentOf(), workload: await deploymentOf('--values', workload) };
}

/**
 * @param {{ projectFolder: string, workFolder: string, update: boolean }} options
 * @returns {Promise<Deployments>}
 */
export async function checkManifests({ projectFolder, workFolder, update }) {
  const deployFolder = join(projectFolder, 'deploy');
  const [programs, models] = await Promise.all([kubernetesPrograms(), modelsFolder()]);
  const { parseAllDocuments } = await yamlParser();
  const rendered = await checkRenders(createRenderer(programs, deployFolder), { deployFolder, update });
  const objects = Object.fromEntries(
    Object.entries(rendered).map(([name, text]) => [
      name,
      parseAllDocuments(text)
        .map((document) => document.toJS())
        .filter(Boolean),
    ]),
  );

  const wrong = structuredClone(objects.default);
  const wrongPod = wrong.find((object) => object.kind === 'Deployment').spec.template.spec;
  wrongPod.containers[0].securityContext.readOnlyRootFileSystem = true;
  const problems = await strictProblems(
    { ...objects, wrong },
    { models, typescript: join(projectFolder, 'node_modules/typescript/bin/tsc'), workFolder },
  );
  for (const name of Object.keys(objects)) {
    check(
      `strict types hold: ${name} (${objects[name].length} objects)`,
      problems[name].length === 0,
      problems[name].join('\n'),
    );
  }
  checkCaught('an unknown field (readOnlyRootFileSystem)', problems.wrong);

  for (const [name, list] of Object.entries(objects)) {
    const found = referenceCheckProblems(list);
    check(`references, ports, durations and hardening hold: ${name}`, found.length === 0, found.join('; '));
  }
  const faults = {
    'a Service that selects other pods': (list) => {
      list.find((object) => object.kind === 'Service').spec.selector = { app: 'other' };
    },
    'a probe on a port that is not there': (_list, pod) => {
      pod.containers[0].readinessProbe.httpGet.port = 'http';
    },
    'a grace period shorter than the drain': (_list, pod) => {
      pod.terminationGracePeriodSeconds = 30;
    },
    'metrics on a port that the pod does not name': (_list, pod) => {
      pod.containers[0].ports.find(({ name }) => name === 'metrics').containerPort = 9465;
    },
    'metrics in the Service for clients': (list) => {
      const ports = list.find((object) => object.kind === 'Service').spec.ports;
      ports.push({ name: 'metrics', port: 9464, targetPort: 'metrics' });
    },
    'a NetworkPolicy that opens the metrics to everybody': (list) => {
      delete list.find((object) => object.kind === 'NetworkPolicy').spec.ingress[1].from;
    },
    'a writable root': (_list, pod) => {
      pod.containers[0].securityContext.readOnlyRootFilesystem = false;
    },
    'node as PID 1': (_list, pod) => {
      pod.containers[0].command = ['node', '/opt/execwire/dist/execwire.cjs'];
    },
  };
  const faultsOfAll = {
    'a sandbox root on no volume': (_list, pod) => {
      pod.containers[0].args.push('--sandbox-roots', '/srv/shared');
    },
    'a scraper that has no token': (list) => {
      list.find((object) => object.kind === 'ServiceMonitor').spec.endpoints[0].port = 'ws';
    },
    'replicas beside an autoscaler': (list) => {
      list.find((object) => object.kind === 'Deployment').spec.replicas = 3;
    },
    'a headless Service without pods that drain': (list) => {
      delete list.find((object) => object.spec?.clusterIP === 'None').spec.publishNotReadyAddresses;
    },
  };
  const faultsOfWorkload = {
    'an init container that may gain privileges': (_list, pod) => {
      pod.initContainers[0].securityContext.allowPrivilegeEscalation = true;
    },
    'no init container': (_list, pod) => {
      delete pod.initContainers;
    },
    'execwire on a volume that commands can write': (_list, pod) => {
      delete pod.containers[0].volumeMounts.find(({ name }) => name === 'runtime').readOnly;
    },
    'execwire as PID 1': (_list, pod) => {
      pod.containers[0].command = ['/execwire/bin/execwire'];
    },
  };
  for (const [source, injections] of [
    [objects.default, faults],
    [objects.full, faultsOfAll],
    [objects.workload, faultsOfWorkload],
  ]) {
    for (const [name, inject] of Object.entries(injections)) {
      const list = structuredClone(source);
      inject(list, list.find((object) => object.kind === 'Deployment').spec.template.spec);
      checkCaught(`in the manifests, ${name}`, referenceCheckProblems(list));
    }
  }
  await checkScalerMetrics(objects, { projectFolder, workFolder });
  await checkRenderedServer(objects.full, { projectFolder, workFolder });
  const deploymentOf = (list) => list.find((object) => object.kind === 'Deployment');
  return { deployment: deploymentOf(objects.default), workload: deploymentOf(objects.workload) };
}
