/**
 * Reads from /proc: the whole table of processes, single processes, their children and the environment they were started with. It decides
 * nothing and signals no process.
 */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { errnoOf } from './program-path.js';

/** The fields of /proc/PID/stat that are needed (proc(5)). */
export interface ProcEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Clock ticks from boot to its start. Together with the pid it identifies a process for good. Undefined for a process that /proc hides. */
  readonly startTime: number | undefined;
  /** False for a zombie: it has ended and waits to be reaped. */
  readonly alive: boolean;
  /** It runs or waits for a processor, and for nothing else. */
  readonly runnable: boolean;
  /** Its main thread has ended and others run. The kernel calls such a process a zombie, and shows its environment only through its other threads. */
  readonly headless: boolean;
  /** How many threads it has. */
  readonly threads: number;
}

/** Longer than any stat line. */
const STAT_BYTES = 1024;
/** Index of `env_start`, field 50, among the fields after the name, which is field 2. */
const STAT_ENV_START = 47;
/** Index of `flags`, field 9, among the fields after the name. */
const STAT_FLAGS = 6;
/** In `flags`: a thread of the kernel, which has no environment (PF_KTHREAD, linux/sched.h). */
const KERNEL_THREAD = 0x0020_0000;
/** Room for most lists of children and most environments. */
const SHARED_BYTES = 65_536;
/** How the kernel refuses the environment of another user's process (proc(5), ptrace(2)). */
const DENIALS = ['EACCES', 'EPERM'];
/** Longest environment that is searched: beyond the kernel's own limit for arguments and environment. */
const MAX_ENVIRON_BYTES = 8 * 1024 * 1024;

const statBuffer = Buffer.allocUnsafeSlow(STAT_BYTES);
const sharedBuffer = Buffer.allocUnsafeSlow(SHARED_BYTES);

let sees: boolean | undefined;

/**
 * Whether /proc exists and uses the same numbers as this process. In a PID namespace without a /proc of its own the numbers would be those of other
 * processes. Checked once.
 */
export function seesProcesses(): boolean {
  sees ??= findsItself();
  return sees;
}

function findsItself(): boolean {
  try {
    return readlinkSync('/proc/self') === String(process.pid);
  } catch {
    return false;
  }
}

/** Every process that can be seen; an empty list where {@link seesProcesses} is false. */
export function readProcTable(): ProcEntry[] {
  const table: ProcEntry[] = [];
  for (const name of namesIn('/proc')) {
    const first = name.charCodeAt(0);
    if (first < 0x30 || first > 0x39) continue;
    const entry = readProcEntry(Number(name));
    if (entry !== undefined) table.push(entry);
  }
  return table;
}

/** One process; undefined when it is gone or hidden, or where {@link seesProcesses} is false. */
export function readProcEntry(pid: number): ProcEntry | undefined {
  if (!seesProcesses()) return undefined;
  const fields = readStat(pid);
  if (fields === undefined) return undefined;
  const state = fields[0] ?? '';
  const threads = Number(fields[17]);
  return {
    pid,
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    startTime: Number(fields[19]),
    alive: state === 'Z' ? threads > 1 : state !== 'X' && state !== '',
    runnable: state === 'R',
    headless: state === 'Z' && threads > 1,
    threads,
  };
}

/** Fields of /proc/PID/stat after the name; undefined when the process is gone or hidden. */
function readStat(pid: number): string[] | undefined {
  let text: string;
  try {
    const fd = openSync(`/proc/${pid}/stat`, 'r');
    try {
      text = statBuffer.toString('latin1', 0, readSync(fd, statBuffer, 0, STAT_BYTES, 0));
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
  // The name stands in parentheses and may hold any character, parentheses and line ends too, so search from the end.
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** The control groups of a process, a line for each hierarchy (cgroups(7)); empty when it is gone or hidden. */
export function readCgroupOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'latin1');
  } catch {
    return '';
  }
}

/** Pids of the children of all its threads, zombies included; undefined when they cannot be seen (CONFIG_PROC_CHILDREN, hidepid). */
export function readChildren(pid: number, threads: number): number[] | undefined {
  if (threads === 1) return readChildrenOfThread(pid, pid);
  const tasks = namesIn(`/proc/${pid}/task`);
  const lists = tasks.map((task) => readChildrenOfThread(pid, task)).filter((list) => list !== undefined);
  return lists.length === 0 ? undefined : lists.flat();
}

function readChildrenOfThread(pid: number, task: number | string): number[] | undefined {
  let list: Buffer;
  try {
    list = readWhole(`/proc/${pid}/task/${task}/children`, Number.POSITIVE_INFINITY);
  } catch {
    return undefined;
  }
  return list.toString('latin1').split(' ').map(Number).filter(Boolean);
}

/**
 * Value of a variable in the environment that a process was started with.
 * @returns undefined when it is unset or the environment belongs to another user; null when it cannot be read now, because the process is between two
 * programs (execve(2) has taken the old memory away) or is ending
 */
export function startedWith(entry: ProcEntry, variable: string): string | undefined | null {
  // /proc hides it, so there is no environment to read.
  if (entry.startTime === undefined) return undefined;
  const fields = readStat(entry.pid);
  if ((Number(fields?.[STAT_FLAGS] ?? 0) & KERNEL_THREAD) !== 0) return undefined;
  const before = environmentAddress(fields);
  const environ = readEnviron(entry);
  if (environ === 'hidden') return undefined;
  const value = environ === 'gone' ? undefined : valueIn(environ, variable);
  if (value !== undefined) return value;
  // Each program has its environment at an address of its own, so a read between two programs proves nothing.
  const isSettled = entry.headless
    ? environ !== 'gone'
    : before !== 0 && before === environmentAddress(readStat(entry.pid));
  return isSettled ? undefined : null;
}

/** Address of its environment (`env_start` of proc(5)). 0 while it has no memory of its own, and for a process of another user. */
function environmentAddress(fields: readonly string[] | undefined): number {
  return Number(fields?.[STAT_ENV_START] ?? 0);
}

function readEnviron({ pid, headless }: ProcEntry): Buffer | 'gone' | 'hidden' {
  const tasks = headless ? namesIn(`/proc/${pid}/task`).map((task) => `task/${task}/`) : [''];
  let result: Buffer | 'gone' | 'hidden' = 'gone';
  for (const task of tasks) {
    const path = `/proc/${pid}/${task}environ`;
    try {
      const environ = readWhole(path, MAX_ENVIRON_BYTES);
      if (environ.length > 0) return environ;
    } catch (error) {
      // Any other error means that it has ended: since Linux 6.16 the environment of a zombie is refused with ESRCH, and is empty before.
      if (DENIALS.includes(errnoOf(error) ?? '')) result = 'hidden';
    }
  }
  return result;
}

function valueIn(environ: Buffer, variable: string): string | undefined {
  const wanted = Buffer.from(`${variable}=`);
  for (let at = environ.indexOf(wanted); at >= 0; at = environ.indexOf(wanted, at + 1)) {
    if (at > 0 && environ[at - 1] !== 0) continue;
    const end = environ.indexOf(0, at);
    return environ.toString('latin1', at + wanted.length, end < 0 ? environ.length : end);
  }
  return undefined;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The content of a file up to a limit, lent until the next call. @throws the errno of its opening or reading */
function readWhole(path: string, maxBytes: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    let buffer: Buffer = sharedBuffer;
    let total = 0;
    // /proc hands out a page at a time, so a short read is not the end.
    while (total < maxBytes) {
      if (total === buffer.length) buffer = Buffer.concat([buffer], 2 * buffer.length);
      const bytes = readSync(fd, buffer, total, buffer.length - total, null);
      if (bytes === 0) break;
      total += bytes;
    }
    return buffer.subarray(0, total);
  } finally {
    closeSync(fd);
  }
}
