/** Reads what processes and their descendants use of the machine, from /proc. Knows no command. */
import { readFileSync } from 'node:fs';
import { readChildren } from './proc-table.js';

/** Most processes of one reading. Each takes some 20 µs, so that no reading holds up the event loop. */
const MAX_PROCESSES = 1000;
/** USER_HZ, the unit of process times on every architecture of Linux. */
const TICK_MS = 10;
/** Pages of x86-64, and of most arm64. */
const PAGE_BYTES = 4096;
/** Places in /proc/PID/stat behind the name in parentheses. @see proc_pid_stat(5) */
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;
const THREADS = 17;
const RESIDENT_PAGES = 21;

export interface TreeUsage {
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** Sums over each process and its living descendants, by pid. Processes that cannot be read are missing. */
export function readTreeUsage(pids: readonly number[]): ReadonlyMap<number, TreeUsage> {
  const usage = new Map<number, TreeUsage>();
  let left = MAX_PROCESSES;
  for (const leader of pids) {
    const sum = { cpuMs: 0, rssBytes: 0 };
    const queue = [leader];
    for (let pid = queue.pop(); pid !== undefined && left > 0; pid = queue.pop()) {
      left -= 1;
      const fields = statOf(pid);
      if (fields === undefined) continue;
      sum.cpuMs += (Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])) * TICK_MS;
      sum.rssBytes += Number(fields[RESIDENT_PAGES]) * PAGE_BYTES;
      queue.push(...(readChildren(pid, Number(fields[THREADS])) ?? []));
      usage.set(leader, sum);
    }
  }
  return usage;
}

function statOf(pid: number): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
