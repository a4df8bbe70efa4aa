// Reads from /proc about a process: CPU time, memory, descendants. Linux only. Starts and stops nothing.

import { readdirSync, readFileSync } from 'node:fs';

/** Ticks per second of the times in /proc/PID/stat (USER_HZ, 100 on every Linux that Node supports). */
const TICKS_PER_SECOND = 100;

/** @typedef {{ rssMb: number, pssMb: number, anonMb: number }} Memory In megabytes (10^6 bytes); `anonMb` is PSS without files. */

/** The fields of /proc/PID/stat behind the command name, field 3 of proc(5) first. @param {number} pid @returns {string[]} */
function statFields(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/**
 * @typedef {object} CpuTime In seconds.
 * @property {number} whole Of all threads, those that have ended too; counted in steps of 10 ms.
 * @property {number} live Of the live threads, to the nanosecond; 0 where the kernel does not say.
 */

/** @param {number} pid @returns {CpuTime} */
export function cpuTime(pid) {
  const fields = statFields(pid);
  const whole = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  let live = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      live += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0]);
    }
  } catch {
    // A thread has just ended, or the kernel has no schedstat: the ticks remain.
  }
  return { whole, live: live / 1e9 };
}

/** Seconds from one reading to a later one: the exact ones, unless ticks say that a thread has ended. @param {CpuTime} from @param {CpuTime} to */
export function cpuBetween(from, to) {
  const whole = to.whole - from.whole;
  const live = to.live - from.live;
  return to.live > 0 && Math.abs(whole - live) <= 2 / TICKS_PER_SECOND ? live : whole;
}

/** @param {number} pid @returns {Memory} */
export function memory(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  /** @param {string} name */
  const megabytes = (name) => (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024) / 1e6;
  return { rssMb: megabytes('Rss'), pssMb: megabytes('Pss'), anonMb: megabytes('Pss_Anon') };
}

/** All descendants of a process, at this moment. @param {number} root @returns {number[]} */
export function descendants(root) {
  /** @type {Map<number, number[]>} */
  const children = new Map();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    try {
      const parent = Number(statFields(pid)[1]);
      children.set(parent, [...(children.get(parent) ?? []), pid]);
    } catch {
      // Ended meanwhile.
    }
  }
  const found = [];
  const queue = [root];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    for (const child of children.get(pid) ?? []) {
      found.push(child);
      queue.push(child);
    }
  }
  return found;
}

/** Tells a process from a later one with the same pid; undefined when it is gone. @param {number} pid @returns {string | undefined} */
export function startTime(pid) {
  try {
    return statFields(pid)[19];
  } catch {
    return undefined;
  }
}

/** @param {number} pid @param {string} entry `NAME=value`. @returns {boolean} */
export function hasEnvironment(pid, entry) {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(entry);
  } catch {
    return false;
  }
}

/** Files that this process, and those it starts, may have open. Node raises its soft limit to the hard one. @returns {number} */
export function openFilesLimit() {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
}
