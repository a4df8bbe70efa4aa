// Owns what must hold of compose.yaml and of the files that it mounts, so that it works with Compose and podman-compose alike. Pure: texts in, problems out.
import { durationSeconds, MARGIN_SECONDS } from './reference-checks.mjs';

/** Bytes of mem_limit that files in a tmpfs must leave: the server takes some 100 MB, its commands the rest. */
const LEAST_BESIDE_FILES = 512 * 2 ** 20;
/** Seconds that the balancer needs to hand on the last replies of its replicas. */
const BALANCER_MARGIN_SECONDS = 10;
const UNITS = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** @param {string | undefined} size as compose writes it @returns {number} NaN if there is none */
function bytes(size) {
  const [, number, unit] = /^(\d+)([kmg])$/.exec(size ?? '') ?? [];
  return Number(number) * UNITS[unit];
}

/** @param {string | undefined} span whole seconds */
const seconds = (span) => Number(/^(\d+)s$/.exec(span ?? '')?.[1]);

/** @param {string} text `${NAME:-default}` @returns {string} the default */
const byDefault = (text) => /^\$\{\w+:-(.*)\}$/.exec(text)?.[1] ?? text;

/** @param {string} flag @param {readonly string[]} command */
const flagValue = (flag, command) => (command.includes(flag) ? command[command.indexOf(flag) + 1] : undefined);

/** @returns {{ path: string, options: string[] }[]} */
function tmpfsMounts(service) {
  return (service.tmpfs ?? []).map((mount) => {
    const [path, options = ''] = mount.split(':');
    return { path, options: options.split(',') };
  });
}

/** Whether all holds of each rule: the problem, and what has to be true. */
const broken = (rules) => rules.filter(([, holds]) => !holds).map(([problem]) => problem);

/**
 * What must hold of a container of the image, however it is started.
 * @param {object} service in the words of compose.yaml
 * @returns {string[]} what it has and should not have
 */
export function containerProblems(service) {
  const mounts = tmpfsMounts(service);
  const sizes = mounts.map(({ options }) =>
    bytes(options.find((option) => option.startsWith('size='))?.slice('size='.length)),
  );
  const files = sizes.reduce((sum, size) => sum + size, 0);
  const drain = ['--drain-delay', '--drain-timeout', '--kill-grace'];
  const least = drain.reduce((sum, flag) => sum + durationSeconds(service.command, flag), MARGIN_SECONDS);
  return broken([
    ['a writable root', service.read_only === true],
    ['capabilities', service.cap_drop?.includes('ALL')],
    ['ways to more rights', service.security_opt?.includes('no-new-privileges:true')],
    ['no memory limit', service.mem_limit !== undefined],
    ['no bound on processes', service.pids_limit !== undefined],
    ['another entry point', service.entrypoint === undefined],
    ['no tmpfs on /tmp or /workspace', ['/tmp', '/workspace'].every((path) => mounts.some((at) => at.path === path))],
    ['a tmpfs where nothing can be executed', mounts.every(({ options }) => options.includes('exec'))],
    ['a tmpfs without a size', sizes.every((size) => size > 0)],
    ['files that may use up its memory', files + LEAST_BESIDE_FILES <= bytes(service.mem_limit)],
    ['a tmpfs for one user', mounts.every(({ options }) => !options.some((option) => /^[ug]id=/.test(option)))],
    ['an address that its health check does not know', !service.command.includes('--listen')],
    [`a stop_grace_period below ${least}s`, seconds(service.stop_grace_period) >= least],
  ]);
}

function replicaProblems(service, dockerfile) {
  const healthCheck = /^HEALTHCHECK[^\n]*\\\n\s*CMD (\[.*\])$/m.exec(dockerfile)?.[1] ?? '[]';
  const ofImage = ['CMD', ...JSON.parse(healthCheck)];
  const isSame = JSON.stringify(service.healthcheck?.test) === JSON.stringify(ofImage);
  return [...containerProblems(service), ...broken([['not the health check of the image', isSame]])];
}

function balancerProblems(service, replica, haproxy) {
  const least = seconds(replica.stop_grace_period) + BALANCER_MARGIN_SECONDS;
  const hardStop = seconds(/^\s*hard-stop-after (\S+)$/m.exec(haproxy)?.[1]);
  return broken([
    ['depends_on, so that `down` stops it before the replicas', service.depends_on === undefined],
    [`a stop_grace_period below ${least}s`, seconds(service.stop_grace_period) >= least],
    ['a stop_signal that cuts its connections', service.stop_signal === 'SIGUSR1'],
    ['hard-stop-after below its stop_grace_period', hardStop >= seconds(service.stop_grace_period)],
    [
      'names that it asks for only once',
      service.environment?.EXECWIRE_RESOLVE !== undefined && haproxy.includes('.if defined(EXECWIRE_RESOLVE)\n'),
    ],
  ]);
}

/** The replicas are the services that HAProxy knows. */
export function replicasOf(services, haproxy) {
  return Object.entries(services).filter(([name]) => haproxy.includes(` ${name}:8080`));
}

/**
 * @param {{ name?: string, services: Record<string, object> }} file compose.yaml, parsed with its merge keys
 * @param {{ dockerfile: string, haproxy: string, prometheus: object }} beside the texts beside it; `prometheus` parsed
 * @returns {string[]} problems; empty when all is well
 */
export function composeProblems({ name, services }, { dockerfile, haproxy, prometheus }) {
  const replicas = replicasOf(services, haproxy);
  const [first] = replicas;
  if (replicas.length !== 3) return [`HAProxy knows ${replicas.length} replicas in place of three`];
  const metricsPort = new URL(flagValue('--metrics-listen', first[1].command) ?? 'http://none').port;
  const targets = prometheus.scrape_configs.flatMap((job) => job.static_configs.flatMap((each) => each.targets));
  const unscraped = replicas.filter(([replica]) => !targets.includes(`${replica}:${metricsPort}`));
  const shortNames = Object.values(services)
    .filter(({ build }) => build === undefined)
    .map(({ image }) => byDefault(image))
    .filter((image) => !/^[\w-]+(\.[\w-]+)+\//.test(image));
  return [
    ...(name === undefined ? [] : ['it has a name, which Compose v1 refuses']),
    ...shortNames.map((image) => `Podman does not know where ${image} is`),
    ...unscraped.map(([replica]) => `Prometheus does not scrape the metrics of ${replica}`),
    ...replicas.flatMap(([replica, service]) =>
      replicaProblems(service, dockerfile).map((problem) => `${replica} has ${problem}`),
    ),
    ...balancerProblems(services.haproxy, first[1], haproxy).map((problem) => `haproxy has ${problem}`),
  ];
}
