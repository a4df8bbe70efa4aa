/**
 * Knows how many more processes and threads this process may start: by its control groups, its user's limit and the kernel's own. It refuses nothing
 * itself.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const CGROUPS = '/sys/fs/cgroup';
/** Field of /proc/PID/stat behind the name: num_threads is the 20th of all (proc(5)). */
const THREADS_FIELD = 17;

/** Where the figures come from. */
export interface PidSources {
  /** The text of a file; undefined when it cannot be read. */
  readonly read: (path: string) => string | undefined;
  /** Threads of all processes of the user that the limit counts; undefined for root, which has no limit. */
  readonly threadsOfUser: () => number | undefined;
}

/** The lowest of all bounds; undefined if none is known. Takes some milliseconds on a full host, because it looks at every process. */
export function pidsLeft({ read, threadsOfUser }: PidSources = SYSTEM): number | undefined {
  const left = [...leftInCgroups(read), leftForUser(read, threadsOfUser), leftInKernel(read)];
  const known = left.filter((count) => count !== undefined);
  return known.length === 0 ? undefined : Math.max(0, Math.min(...known));
}

/** Bounds of this process's control group and of all above it, in version 1 or 2. */
function leftInCgroups(read: PidSources['read']): (number | undefined)[] {
  const groups = read('/proc/self/cgroup') ?? '';
  const first = /^\d+:(?:[^:\n]*,)?pids(?:,[^:\n]*)?:([^\n]*)$/m.exec(groups)?.[1];
  const second = /^0::([^\n]*)$/m.exec(groups)?.[1];
  const root = first === undefined ? CGROUPS : join(CGROUPS, 'pids');
  const left: (number | undefined)[] = [];
  for (let folder = join(root, first ?? second ?? '/'); ; folder = dirname(folder)) {
    left.push(difference(read(join(folder, 'pids.max')), read(join(folder, 'pids.current'))));
    if (folder.length <= root.length) return left;
  }
}

function leftForUser(read: PidSources['read'], threadsOfUser: PidSources['threadsOfUser']): number | undefined {
  const limit = /^Max processes\s+(\d+)/m.exec(read('/proc/self/limits') ?? '')?.[1];
  const threads = limit === undefined ? undefined : threadsOfUser();
  return threads === undefined ? undefined : Number(limit) - threads;
}

function leftInKernel(read: PidSources['read']): number | undefined {
  const all = /\/(\d+) /.exec(read('/proc/loadavg') ?? '')?.[1];
  return difference(read('/proc/sys/kernel/pid_max'), all);
}

/** Undefined when a figure is missing, or is `max`. */
function difference(limit: string | undefined, used: string | undefined): number | undefined {
  const left = Number(limit ?? Number.NaN) - Number(used ?? Number.NaN);
  return Number.isNaN(left) ? undefined : left;
}

const SYSTEM: PidSources = {
  read(path) {
    try {
      return readFileSync(path, 'latin1');
    } catch {
      return undefined;
    }
  },
  threadsOfUser() {
    const uid = process.getuid?.();
    if (uid === 0 || uid === undefined) return undefined;
    let threads = 0;
    for (const name of readdirSync('/proc')) if (/^\d+$/.test(name)) threads += threadsOf(name, uid);
    return threads;
  },
};

function threadsOf(pid: string, uid: number): number {
  try {
    if (statSync(`/proc/${pid}`).uid !== uid) return 0;
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[THREADS_FIELD]);
  } catch {
    return 0; // It has ended meanwhile.
  }
}
