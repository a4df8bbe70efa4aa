/**
 * Reads the table of processes from /proc in one go, and single facts of one process. It decides nothing and kills nobody.
 */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';

/** One line of /proc/PID/stat, as far as it is needed (proc(5)). */
export interface ProcEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Clock ticks since boot at its start: with the pid it names a process for good. */
  readonly startTime: number;
  /** False for a zombie: it runs no more and only waits to be reaped. */
  readonly alive: boolean;
}

/** More than any stat line takes. */
const STAT_BYTES = 1024;
/** The kernel hands an environment out in pages; what is larger is read piece by piece. */
const ENVIRON_BYTES = 65_536;
/** Longest environment that is looked through: beyond the kernel's own limit for arguments and environment. */
const MAX_ENVIRON_BYTES = 8 * 1024 * 1024;

const statBuffer = Buffer.allocUnsafeSlow(STAT_BYTES);

/** Every process that can be seen, or an empty list where there is no /proc. */
export function readProcTable(): ProcEntry[] {
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return [];
  }
  const table: ProcEntry[] = [];
  for (const name of names) {
    const first = name.charCodeAt(0);
    if (first < 0x30 || first > 0x39) continue;
    const entry = readProcEntry(Number(name));
    if (entry !== undefined) table.push(entry);
  }
  return table;
}

/** One process, or undefined when it is gone. */
export function readProcEntry(pid: number): ProcEntry | undefined {
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
  // The name stands in parentheses and may hold anything, parentheses and line ends too: count from its end.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const state = fields[0] ?? '';
  return {
    pid,
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    startTime: Number(fields[19]),
    alive: state !== 'Z' && state !== 'X' && state !== '',
  };
}

/** Value that a variable had in the environment a process was started with; undefined when unset, or when the process cannot be seen. */
export function startedWith(pid: number, variable: string): string | undefined {
  const environ = readEnviron(pid);
  if (environ === undefined) return undefined;
  const wanted = Buffer.from(`${variable}=`);
  for (let at = environ.indexOf(wanted); at >= 0; at = environ.indexOf(wanted, at + 1)) {
    if (at > 0 && environ[at - 1] !== 0) continue;
    const end = environ.indexOf(0, at);
    return environ.toString('latin1', at + wanted.length, end < 0 ? environ.length : end);
  }
  return undefined;
}

/** Undefined when the process is gone or belongs to somebody else. */
function readEnviron(pid: number): Buffer | undefined {
  try {
    const fd = openSync(`/proc/${pid}/environ`, 'r');
    try {
      const pieces: Buffer[] = [];
      for (let total = 0; total < MAX_ENVIRON_BYTES; ) {
        const piece = Buffer.allocUnsafe(ENVIRON_BYTES);
        const bytes = readSync(fd, piece, 0, ENVIRON_BYTES, null);
        if (bytes === 0) break;
        pieces.push(piece.subarray(0, bytes));
        total += bytes;
      }
      return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}
