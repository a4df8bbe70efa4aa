// Owns the translation of a rendered pod and an image's configuration into runc's config.json, as a kubelet's runtime would do it. Starts nothing.
import { join } from 'node:path';

const NO_CAPABILITIES = { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] };
/** Descriptors; more would let Node raise its own limit far beyond what the machine has. */
const MAX_OPEN_FILES = 16_384;
/** The kubelet's podPidsLimit of a careful cluster. */
const MAX_PIDS = 1024;
const UNITS = { '': 1, k: 1e3, M: 1e6, G: 1e9, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };

const MASKED_PATHS = [
  '/proc/acpi',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
];
const READONLY_PATHS = ['/proc/asound', '/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

const SYSTEM_MOUNTS = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
  },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
];

/** @param {string | undefined} quantity of memory, as Kubernetes writes it @returns {number | undefined} bytes */
export function memoryBytes(quantity) {
  if (quantity === undefined) return undefined;
  const match = /^(\d+)(k|M|G|Ki|Mi|Gi)?$/.exec(quantity);
  if (match === null) throw new Error(`${quantity} is no amount of memory`);
  return Number(match[1]) * UNITS[match[2] ?? ''];
}

/**
 * @param {object} podSpec of the rendered Deployment
 * @param {object} image its configuration: Entrypoint, Cmd, Env, WorkingDir, User
 * @param {{ rootFolder: string, volumeFolder: (name: string) => string, networkNamespace: string, cgroup: string, hostname: string, seccomp?: object, container?: object }} place
 *   `container`: default the pod's first
 * @returns {object} config.json
 */
export function ociConfig(podSpec, image, place) {
  const { rootFolder, volumeFolder, networkNamespace, cgroup, hostname, seccomp } = place;
  const { container = podSpec.containers[0] } = place;
  const own = container.securityContext ?? {};
  const [imageUser, imageGroup] = (image.User || '0:0').split(':').map(Number);
  const environment = new Map(
    (image.Env ?? []).map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
  environment.set('HOSTNAME', hostname);
  for (const { name, value } of container.env ?? []) environment.set(name, value);
  return {
    ociVersion: '1.0.2',
    hostname,
    process: {
      terminal: false,
      user: {
        uid: podSpec.securityContext?.runAsUser ?? imageUser,
        gid: podSpec.securityContext?.runAsGroup ?? imageGroup,
        additionalGids: podSpec.securityContext?.fsGroup === undefined ? [] : [podSpec.securityContext.fsGroup],
      },
      args: [...(container.command ?? image.Entrypoint ?? []), ...(container.args ?? image.Cmd ?? [])],
      env: [...environment].map(([name, value]) => `${name}=${value}`),
      cwd: container.workingDir ?? (image.WorkingDir || '/'),
      capabilities: NO_CAPABILITIES,
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: MAX_OPEN_FILES, hard: MAX_OPEN_FILES }],
      noNewPrivileges: own.allowPrivilegeEscalation === false,
    },
    root: { path: rootFolder, readonly: own.readOnlyRootFilesystem === true },
    mounts: [
      ...SYSTEM_MOUNTS,
      ...(container.volumeMounts ?? []).map((mount) => ({
        destination: mount.mountPath,
        type: 'bind',
        source: join(volumeFolder(mount.name), mount.subPath ?? ''),
        options: ['rbind', 'nosuid', 'nodev', mount.readOnly ? 'ro' : 'rw'],
      })),
    ],
    linux: {
      namespaces: [
        { type: 'pid' },
        { type: 'ipc' },
        { type: 'uts' },
        { type: 'mount' },
        { type: 'network', path: networkNamespace },
      ],
      cgroupsPath: cgroup,
      resources: {
        devices: [{ allow: false, access: 'rwm' }],
        memory: { limit: memoryBytes(container.resources?.limits?.memory) },
        pids: { limit: MAX_PIDS },
      },
      ...(seccomp !== undefined && podSpec.securityContext?.seccompProfile?.type === 'RuntimeDefault'
        ? { seccomp }
        : {}),
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
    },
  };
}
