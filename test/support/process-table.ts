/**
 * What the kernel tells about processes, read without the code under test. If /proc hides other users' processes, it still shows this user's, and a
 * test starts no others.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

interface Entry {
  readonly pid: number;
  readonly parent: number;
  /** The kernel's letter: `Z` is a zombie. */
  readonly state: string;
}

/** Every process that can be seen. */
function table(): Entry[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (entryOf(Number(name)) ?? []) : []));
}

function entryOf(pid: number): Entry | undefined {
  const stat = read(pid, 'stat');
  // The name in parentheses may hold any character, parentheses too.
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === undefined || state === '' ? undefined : { pid, parent: Number(parent), state };
}

/** A file of a process, empty when the process has ended or is another user's. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}

/** Whether a process runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  const entry = entryOf(pid);
  return entry !== undefined && entry.state !== 'Z';
}

/** Children of a process, zombies included: each waits to be reaped. */
export function childrenOf(pid: number): number[] {
  return table().flatMap((entry) => (entry.parent === pid ? [entry.pid] : []));
}

/** Children of a process that have ended and wait to be reaped. */
export function zombiesOf(pid: number): number {
  return table().filter((entry) => entry.parent === pid && entry.state === 'Z').length;
}

/** Living processes whose arguments or environment hold this word; each test uses a word of its own. */
export function processesWith(word: string): number[] {
  return table()
    .filter(({ pid, state }) => state !== 'Z' && pid !== process.pid)
    .map(({ pid }) => pid)
    .filter((pid) => ['cmdline', 'environ'].some((file) => read(pid, file).includes(word)));
}

/** Open descriptors of a process, each as `number target`. */
export function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [`${fd} ${readlinkSync(`/proc/${pid}/fd/${fd}`)}`];
    } catch {
      return []; // It was the descriptor that read this folder, or it is closed by now.
    }
  });
}

/** Memory maps of a process. */
export function memoryMapsOf(pid: number): number {
  return read(pid, 'maps').split('\n').length - 1;
}

/** Resident memory of a process in bytes. 0 when it has ended. */
export function residentBytesOf(pid: number): number {
  return statusNumber(pid, 'VmRSS') * 1024;
}

/** The most resident memory that a process ever had, in bytes. 0 when it has ended. */
export function peakResidentBytesOf(pid: number): number {
  return statusNumber(pid, 'VmHWM') * 1024;
}

export function threadsOf(pid: number): number {
  return statusNumber(pid, 'Threads');
}

function statusNumber(pid: number, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(read(pid, 'status'))?.[1] ?? 0);
}
