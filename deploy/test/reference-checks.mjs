// Owns the relations between rendered objects that no schema knows: selectors, ports, references, durations, hardening. Pure: objects in, problems out.

/** Objects the operator makes, or that belong to another chart. */
const MADE_ELSEWHERE = new Set(['Secret/execwire-tokens', 'Secret/execwire-keys', 'ServiceAccount/default']);

const matches = (selector, labels) => Object.entries(selector).every(([key, value]) => labels?.[key] === value);
const ofKind = (objects, kind) => objects.filter((object) => object.kind === kind);

/**
 * Seconds of a duration flag of the rendered command line.
 * @param {string[]} args
 * @param {string} flag
 */
export function durationSeconds(args, flag) {
  const match = /^(\d+)(ms|s|m)$/.exec(args[args.indexOf(flag) + 1] ?? '');
  if (match === null) throw new Error(`${flag} is not a duration with a unit`);
  return Number(match[1]) * { ms: 0.001, s: 1, m: 60 }[match[2]];
}

/** Objects that own the number of replicas. */
const scalersOf = (objects) => [...ofKind(objects, 'HorizontalPodAutoscaler'), ...ofKind(objects, 'ScaledObject')];

/** Seconds after the kill grace: flushing to peers that do not read (5), exit, scheduling. */
export const MARGIN_SECONDS = 10;

/**
 * terminationGracePeriodSeconds ≥ preStop + drain delay + drain deadline + kill grace + margin.
 * @param {object} podSpec
 * @returns {string[]}
 */
export function graceProblems(podSpec) {
  const container = podSpec.containers[0];
  const preStop = container.lifecycle?.preStop?.sleep?.seconds ?? 0;
  const delay = durationSeconds(container.args, '--drain-delay');
  const deadline = durationSeconds(container.args, '--drain-timeout');
  const killGrace = durationSeconds(container.args, '--kill-grace');
  const least = preStop + delay + deadline + killGrace + MARGIN_SECONDS;
  const grace = podSpec.terminationGracePeriodSeconds ?? 30;
  return grace >= least
    ? []
    : [
        `grace ${grace} s < preStop ${preStop} + delay ${delay} + deadline ${deadline} + kill ${killGrace} + margin ${MARGIN_SECONDS} = ${least} s`,
      ];
}

/** tini of an image's own entry point, or of the runtime folder. With `-g` it would signal running commands when a drain begins. */
const startsByTini = (command) =>
  command === undefined || (command[0] === '/execwire/bin/tini' && command[1] === '-s' && command[2] === '--');

/** @param {object} container @returns {[problem: string, holds: boolean][]} */
function containerRules(container) {
  const own = container.securityContext ?? {};
  return [
    ['root file system is writable', own.readOnlyRootFilesystem === true],
    ['may gain privileges', own.allowPrivilegeEscalation === false],
    ['keeps capabilities', own.capabilities?.drop?.includes('ALL') && !own.capabilities.add],
    ['has no memory limit', container.resources?.limits?.memory !== undefined],
    ['has a CPU limit', container.resources?.limits?.cpu === undefined],
  ];
}

/**
 * The "restricted" Pod Security Standard, a read-only root, and no way to the API server.
 * @param {object} podSpec
 * @returns {string[]}
 */
export function hardeningProblems(podSpec) {
  const container = podSpec.containers[0];
  const writable = (container.volumeMounts ?? []).filter((mount) => !mount.readOnly).map((mount) => mount.mountPath);
  const rules = [
    ...[...(podSpec.initContainers ?? []), container].flatMap(containerRules),
    ['may run as root', podSpec.securityContext?.runAsNonRoot === true && podSpec.securityContext.runAsUser > 0],
    ['has no seccomp profile', podSpec.securityContext?.seccompProfile?.type === 'RuntimeDefault'],
    ['gets a service account token', podSpec.automountServiceAccountToken === false],
    ['gets service links', podSpec.enableServiceLinks === false],
    ['lacks a writable /tmp or /workspace', ['/tmp', '/workspace'].every((path) => writable.includes(path))],
    ['replaces the entry point, so tini is not PID 1', startsByTini(container.command)],
  ];
  return rules.filter(([, holds]) => !holds).map(([problem]) => `pod ${problem}`);
}

/**
 * Roots that a sandbox may write must lie on writable volumes, because the root file system is read-only, and a missing root is left out silently.
 * @param {object} podSpec
 * @returns {string[]}
 */
export function sandboxRootProblems(podSpec) {
  const { args, volumeMounts = [] } = podSpec.containers[0];
  const writable = volumeMounts.filter((mount) => !mount.readOnly).map((mount) => mount.mountPath);
  return args
    .filter((_, index) => args[index - 1] === '--sandbox-roots')
    .filter((root) => !writable.some((path) => root === path || root.startsWith(`${path}/`)))
    .map((root) => `sandbox root ${root} lies on no writable volume`);
}

/** A headless Service is for a balancer that leads clients back: it has to see pods that drain, which are not ready. */
function ownersServiceProblems(objects) {
  return ofKind(objects, 'Service')
    .filter(({ spec }) => spec.clusterIP === 'None' && spec.publishNotReadyAddresses !== true)
    .map(({ metadata }) => `Service/${metadata.name} leaves out pods that drain`);
}

/** Execwire in the user's image: from a volume that commands cannot write and that is filled, by the init container or by an image. */
function runtimeFolderProblems({ initContainers = [], containers: [container], volumes }) {
  if (container.command === undefined) return [];
  const mount = container.volumeMounts.find(({ mountPath }) => mountPath === '/execwire');
  const volume = volumes.find(({ name }) => name === mount?.name);
  const installs = ({ args: [verb, target], volumeMounts }) =>
    verb === 'install' &&
    volumeMounts.some(({ name, mountPath, readOnly }) => name === volume?.name && mountPath === target && !readOnly);
  const rules = [
    ['no volume is mounted at /execwire', volume !== undefined],
    ['commands can write /execwire', mount?.readOnly === true],
    ['/execwire is not the folder of the volume', mount?.subPath === 'execwire'],
    ['nothing fills /execwire', volume?.image !== undefined || initContainers.some(installs)],
  ];
  return rules.filter(([, holds]) => !holds).map(([problem]) => problem);
}

function selectorProblems(objects, pod) {
  const selectors = [
    ...ofKind(objects, 'Service').map((object) => [object, object.spec.selector]),
    ...ofKind(objects, 'PodDisruptionBudget').map((object) => [object, object.spec.selector.matchLabels]),
    ...ofKind(objects, 'NetworkPolicy').map((object) => [object, object.spec.podSelector.matchLabels]),
    ...ofKind(objects, 'Deployment').map((object) => [object, object.spec.selector.matchLabels]),
    ...pod.spec.topologySpreadConstraints.map((constraint) => [
      { kind: 'topologySpread', metadata: { name: constraint.topologyKey } },
      constraint.labelSelector.matchLabels,
    ]),
  ];
  const services = ofKind(objects, 'Service');
  return [
    ...selectors
      .filter(([, selector]) => Object.keys(selector ?? {}).length === 0 || !matches(selector, pod.metadata.labels))
      .map(([object]) => `${object.kind}/${object.metadata.name} selects other pods`),
    ...ofKind(objects, 'ServiceMonitor')
      .filter(
        (object) => !services.some((service) => matches(object.spec.selector.matchLabels, service.metadata.labels)),
      )
      .map((object) => `ServiceMonitor/${object.metadata.name} selects no Service`),
  ];
}

function portProblems(objects, podSpec) {
  const container = podSpec.containers[0];
  const named = new Set(container.ports.map((port) => port.name));
  const wanted = [
    ...['startupProbe', 'livenessProbe', 'readinessProbe'].map((probe) => [probe, container[probe]?.httpGet?.port]),
    ...ofKind(objects, 'Service').flatMap((service) => service.spec.ports.map((port) => ['Service', port.targetPort])),
    ...ofKind(objects, 'NetworkPolicy').flatMap((policy) =>
      policy.spec.ingress.flatMap((rule) => rule.ports.map((port) => ['NetworkPolicy', port.port])),
    ),
  ];
  const servicePorts = new Set(
    ofKind(objects, 'Service').flatMap((service) => service.spec.ports.map((port) => port.name)),
  );
  return [
    ...wanted
      .filter(([, port]) => !named.has(port))
      .map(([who, port]) => `${who} names port ${port}, which no container has`),
    ...ofKind(objects, 'ServiceMonitor')
      .flatMap((monitor) => monitor.spec.endpoints)
      .filter((endpoint) => !servicePorts.has(endpoint.port))
      .map((endpoint) => `ServiceMonitor names port ${endpoint.port}, which no Service has`),
  ];
}

/** Metrics have a listener of their own, which asks for no token: the scraper reaches it, and clients do not. */
function metricsProblems(objects, podSpec) {
  const { args, ports } = podSpec.containers[0];
  const address = args.find((_, index) => args[index - 1] === '--metrics-listen');
  const listens = address === undefined ? undefined : Number(new URL(address).port);
  const services = ofKind(objects, 'Service');
  return [
    ...(ports.find(({ name }) => name === 'metrics')?.containerPort === listens
      ? []
      : [`port metrics is not that of --metrics-listen, ${listens}`]),
    ...services
      .filter(({ spec }) => spec.ports.length > 1 && spec.ports.some(({ targetPort }) => targetPort === 'metrics'))
      .map(({ metadata }) => `Service/${metadata.name} leads clients to the metrics`),
    ...ofKind(objects, 'ServiceMonitor')
      .flatMap((monitor) => monitor.spec.endpoints)
      .filter(({ port }) =>
        services.every(({ spec }) => spec.ports.every((own) => own.name !== port || own.targetPort !== 'metrics')),
      )
      .map(({ port }) => `ServiceMonitor scrapes port ${port}, where the metrics need a token`),
    ...ofKind(objects, 'NetworkPolicy')
      .filter(({ spec }) => !spec.ingress.some((rule) => rule.ports.some(({ port }) => port === 'metrics')))
      .map(({ metadata }) => `NetworkPolicy/${metadata.name} keeps the scraper out`),
    ...ofKind(objects, 'NetworkPolicy')
      .flatMap(({ spec }) => spec.ingress)
      .filter((rule) => rule.from === undefined && rule.ports.some(({ port }) => port === 'metrics'))
      .map(() => 'a NetworkPolicy opens the metrics to everybody'),
  ];
}

function referenceProblems(objects, podSpec) {
  const exists = (kind, name) =>
    MADE_ELSEWHERE.has(`${kind}/${name}`) ||
    objects.some((object) => object.kind === kind && object.metadata.name === name);
  const backends = [
    ...ofKind(objects, 'HTTPRoute').flatMap((route) =>
      route.spec.rules.flatMap((rule) => rule.backendRefs.map((reference) => [reference.name, reference.port])),
    ),
    ...ofKind(objects, 'Ingress').flatMap((ingress) =>
      ingress.spec.rules.flatMap((rule) =>
        rule.http.paths.map((path) => [path.backend.service.name, path.backend.service.port.name]),
      ),
    ),
  ];
  const wanted = [
    ['ServiceAccount', podSpec.serviceAccountName],
    ...(podSpec.volumes ?? []).filter((volume) => volume.secret).map((volume) => ['Secret', volume.secret.secretName]),
    ...(podSpec.runtimeClassName ? [['RuntimeClass', podSpec.runtimeClassName]] : []),
    ...scalersOf(objects).map((object) => [object.spec.scaleTargetRef.kind, object.spec.scaleTargetRef.name]),
  ];
  const mounts = [...(podSpec.initContainers ?? []), podSpec.containers[0]]
    .flatMap((container) => container.volumeMounts)
    .filter((mount) => !podSpec.volumes.some((volume) => volume.name === mount.name));
  return [
    ...wanted
      .filter(([kind, name]) => !exists(kind, name))
      .map(([kind, name]) => `${kind}/${name} is named and does not exist`),
    ...mounts.map((mount) => `volume ${mount.name} is mounted and does not exist`),
    ...backends
      .filter(
        ([name, port]) =>
          !ofKind(objects, 'Service').some(
            (service) =>
              service.metadata.name === name &&
              service.spec.ports.some((own) => own.name === port || own.port === port),
          ),
      )
      .map(([name, port]) => `a route leads to Service ${name}:${port}, which does not exist`),
  ];
}

/**
 * @param {object[]} objects one render
 * @returns {string[]} problems; empty when all is well
 */
export function referenceCheckProblems(objects) {
  const deployment = ofKind(objects, 'Deployment')[0];
  const pod = deployment.spec.template;
  const rolling = deployment.spec.strategy.rollingUpdate;
  const isScaled = scalersOf(objects).length > 0;
  return [
    ...selectorProblems(objects, pod),
    ...portProblems(objects, pod.spec),
    ...metricsProblems(objects, pod.spec),
    ...referenceProblems(objects, pod.spec),
    ...graceProblems(pod.spec),
    ...hardeningProblems(pod.spec),
    ...sandboxRootProblems(pod.spec),
    ...runtimeFolderProblems(pod.spec),
    ...ownersServiceProblems(objects),
    ...(rolling.maxUnavailable === 0 && rolling.maxSurge === 1
      ? []
      : ['a rolling update takes a replica away before the new one is ready']),
    ...(isScaled && deployment.spec.replicas !== undefined ? ['replicas are set and an autoscaler owns them'] : []),
  ];
}
