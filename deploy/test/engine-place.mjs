// Owns the place in which engines run: namespaces that end with them, control groups of their own, and none of the machine's configuration, networks or
// storage. Knows no engine.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.mjs';
import { NAMESPACES } from './namespaced.mjs';

/** Of version 1 or 2 (mixed too): a group of that name in each hierarchy, and the program in it as if it were the root. The first word is the name. */
const ENTER = `
set -e
name=$1
shift
for top in /sys/fs/cgroup /sys/fs/cgroup/*; do
  [ -e $top/cgroup.procs ] || continue
  mkdir -p $top/$name
  for file in cpuset.cpus cpuset.mems; do [ ! -e $top/$file ] || cat $top/$file > $top/$name/$file; done
  echo $$ > $top/$name/cgroup.procs
done
export ENGINE_GROUP=$name
exec ${NAMESPACES.join(' ')} --cgroup --ipc --uts "$@"`;

/** Inside. Version 2 lets no group have both processes and groups with limits, so that this program leaves it. */
const SETTLE = `
set -e
for top in /sys/fs/cgroup /sys/fs/cgroup/*; do
  [ ! -e $top/$ENGINE_GROUP/cgroup.procs ] || mount --bind $top/$ENGINE_GROUP $top
done
if [ -e /sys/fs/cgroup/cgroup.subtree_control ]; then
  mkdir /sys/fs/cgroup/test
  for pid in $(cat /sys/fs/cgroup/cgroup.procs); do echo $pid > /sys/fs/cgroup/test/cgroup.procs || true; done
  for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do echo +$controller > /sys/fs/cgroup/cgroup.subtree_control; done
fi
mount -t tmpfs tmpfs /run
ip link set lo up`;

/** crun refuses control groups of both versions side by side. Nothing is asked of systemd, which is not there. */
const CONTAINERS_CONF = `[containers]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "netavark"
`;
const REGISTRIES_CONF = 'unqualified-search-registries = []\nshort-name-mode = "disabled"\n';
const POLICY = '{"default":[{"type":"insecureAcceptAnything"}]}\n';

/**
 * @param {string} group name of the control groups; removing them is the caller's
 * @param {string[]} program
 * @returns {string[]} the words that run a program in a place of its own, where it has to {@link settle}
 */
export function inEnginePlace(group, program) {
  return ['sh', '-c', ENTER, 'sh', group, ...program];
}

/**
 * Settles this process in its place, before anything is started.
 * @param {{ imageStore: string, driver: string, workFolder: string }} options `imageStore`: root of a store whose images Podman uses without writing to it
 * @returns {Promise<string>} a folder in memory, where engines keep their containers: a trial need not wait for a disk
 */
export async function settle({ imageStore, driver, workFolder }) {
  await run(['sh', '-c', SETTLE]);
  const storage = join(workFolder, 'engine-storage');
  await mkdir(storage, { recursive: true });
  await run(['mount', '-t', 'tmpfs', 'tmpfs', storage]);
  // Engines keep networks and keys there.
  await run(['cp', '-a', '/etc', storage]);
  await run(['mount', '--bind', join(storage, 'etc'), '/etc']);
  const storageConf = `[storage]
driver = "${driver}"
graphroot = "${join(storage, 'podman')}"
runroot = "/run/containers/storage"
[storage.options]
additionalimagestores = ["${imageStore}"]
`;
  const files = {
    'containers.conf': CONTAINERS_CONF,
    'registries.conf': REGISTRIES_CONF,
    'policy.json': POLICY,
    'storage.conf': storageConf,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join('/etc/containers', name), text);
  return storage;
}
