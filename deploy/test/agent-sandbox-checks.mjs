// Owns what must hold between the manifests of agent sandboxes and inside them, as far as this project knows it: fields, names, the folder that is
// injected, ports, durations, hardening. Pure: objects in, problems out. The published definitions are checked elsewhere, where they are.
import { graceProblems, hardeningProblems } from './reference-checks.mjs';

const API_VERSION = 'extensions.agents.x-k8s.io/v1beta1';
/** The port of a request that names none, in both routers of agent-sandbox. */
const ROUTER_PORT = 8888;
/** The fields of each kind that these manifests use; a further one is added here by whoever looks it up. */
const FIELDS = {
  SandboxTemplate: ['service', 'envVarsInjectionPolicy', 'networkPolicyManagement', 'podTemplate'],
  SandboxWarmPool: ['replicas', 'sandboxTemplateRef', 'updateStrategy'],
  SandboxClaim: ['warmPoolRef', 'lifecycle'],
};
/** A rule of the pods of the chart, whose image has an entry point. Here tini comes with the folder. */
const ENTRY_POINT = /entry point/;

const fieldProblems = (object) => {
  const known = FIELDS[object.kind];
  if (known === undefined) return [`${object.kind} is none of ${Object.keys(FIELDS).join(', ')}`];
  const [template, metadata] = [object.spec.podTemplate ?? {}, object.metadata];
  return [
    ...(object.apiVersion === API_VERSION ? [] : [`${object.kind} is of ${object.apiVersion}`]),
    ...Object.keys(object.spec)
      .filter((name) => !known.includes(name))
      .map((name) => `${object.kind}.spec.${name} is not known here`),
    ...Object.keys(template)
      .filter((name) => !['metadata', 'spec'].includes(name))
      .map((name) => `podTemplate.${name} is not known here`),
    ...(metadata?.name && metadata.namespace ? [] : [`${object.kind} has no name or no namespace`]),
  ];
};

/** The init container puts the folder where the main container starts tini and execwire from. */
function folderProblems({ initContainers = [], containers: [container], volumes = [] }) {
  const [init] = initContainers;
  const [verb, target] = init?.args ?? [];
  const [tini, ...words] = container.command ?? [];
  const root = `${target}/execwire/bin/`;
  const mountOf = ({ volumeMounts = [] }) => volumeMounts.find(({ mountPath }) => mountPath === target);
  const [from, to] = [mountOf(init ?? {}), mountOf(container)];
  const own = init?.securityContext ?? {};
  const rules = [
    ['no init container installs execwire', verb === 'install' && init.command === undefined],
    [
      'tini of the folder is not the first process',
      tini === `${root}tini` && words.join(' ') === `-s -- ${root}execwire`,
    ],
    ['the folder is on two volumes', from !== undefined && from.name === to?.name],
    ['commands can write the folder', to?.readOnly === true],
    [
      'the volume of the folder is no emptyDir with a limit',
      volumes.find(({ name }) => name === from?.name)?.emptyDir?.sizeLimit !== undefined,
    ],
    [
      'the init container is not hardened',
      own.readOnlyRootFilesystem === true &&
        own.allowPrivilegeEscalation === false &&
        own.capabilities?.drop?.includes('ALL'),
    ],
  ];
  return rules.filter(([, holds]) => !holds).map(([problem]) => problem);
}

/** The server listens where its probes and the routers ask, and takes tokens for its own name alone. */
function serverProblems({ containers: [container], volumes = [] }) {
  const { args, env = [], ports = [], volumeMounts = [] } = container;
  const flagValue = (flag) => args[args.indexOf(flag) + 1];
  const port = ports.find(({ name }) => name === 'ws')?.containerPort;
  const variable = /^\$\((\w+)\)$/.exec(flagValue('--ws-audience'))?.[1];
  const keys = volumeMounts.find(({ mountPath }) => flagValue('--ws-jwks-file') === `${mountPath}/jwks.json`);
  const unknown = volumeMounts.filter(({ name }) => !volumes.some((volume) => volume.name === name));
  const probes = ['startupProbe', 'livenessProbe', 'readinessProbe'].map((probe) => container[probe]?.httpGet?.port);
  const rules = [
    [
      'the server does not listen on the port of the routers',
      port === ROUTER_PORT && flagValue('--listen') === `ws://0.0.0.0:${port}`,
    ],
    ['a probe asks another port', probes.every((name) => name === 'ws')],
    ['tokens are not signed', flagValue('--ws-auth') === 'signed-bearer-token'],
    [
      'the key set is on no read-only volume',
      keys?.readOnly === true && volumes.some(({ name, configMap }) => name === keys.name && configMap),
    ],
    [
      'a token of one sandbox opens another',
      env.some(({ name, valueFrom }) => name === variable && valueFrom?.fieldRef?.fieldPath === 'metadata.name'),
    ],
    [`volumes are mounted that do not exist: ${unknown.map(({ name }) => name)}`, unknown.length === 0],
    [
      'the default directory is on no volume',
      volumeMounts.some(({ mountPath, readOnly }) => mountPath === flagValue('--default-cwd') && !readOnly),
    ],
  ];
  return rules.filter(([, holds]) => !holds).map(([problem]) => problem);
}

/**
 * @param {object[]} objects the manifests
 * @returns {string[]} problems; empty when all is well
 */
export function agentSandboxProblems(objects) {
  const strangers = objects.flatMap(fieldProblems);
  if (strangers.length > 0) return strangers;
  const of = (kind) => objects.find((object) => object.kind === kind);
  const [template, pool, claim] = [of('SandboxTemplate'), of('SandboxWarmPool'), of('SandboxClaim')];
  const pod = template.spec.podTemplate.spec;
  const namespaces = new Set(objects.map(({ metadata }) => metadata.namespace));
  const rules = [
    ['the routers find no Service of a sandbox', template.spec.service === true],
    ['the pool is of another template', pool.spec.sandboxTemplateRef.name === template.metadata.name],
    ['the claim is for another pool', claim.spec.warmPoolRef.name === pool.metadata.name],
    ['the objects are in different namespaces', namespaces.size === 1],
  ];
  return [
    ...rules.filter(([, holds]) => !holds).map(([problem]) => problem),
    ...folderProblems(pod),
    ...serverProblems(pod),
    ...graceProblems(pod),
    ...hardeningProblems(pod).filter((problem) => !ENTRY_POINT.test(problem)),
  ];
}

/** @param {object[]} objects the manifests @returns {object} the pod of a sandbox, for a check of its fields */
export function sandboxPod(objects) {
  const { metadata, spec } = objects.find(({ kind }) => kind === 'SandboxTemplate').spec.podTemplate;
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'sandbox', ...metadata }, spec };
}
