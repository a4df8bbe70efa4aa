/**
 * The processes that commands left behind. When a process loses its parent, the kernel gives it to this process, which finds it in its own list of
 * children and reaps it when it has ended. This module kills nothing, and does not know which command an orphan came from.
 *
 * Children of Node, of node-pty and of libraries are never touched: they are registered, or in the session of this process, which no command can
 * enter.
 */
import type { ChildCalls } from './child-calls.js';
import { allRegistered, lastStart, ownChild } from './own-children.js';
import { type ProcEntry, readChildren, readProcEntry, seesProcesses } from './proc-table.js';

/** A zombie costs a number and nothing else. One look for all that end within this time keeps short commands fast. */
const REAP_AFTER_MS = 100;

let calls: ChildCalls | undefined;
let ownSession = 0;
let isReapDue = false;
/** Zombies that may be children of starts on other threads, with the last start at the time they were seen. */
let unreaped = new Map<number, number>();

/** Makes orphans come to this process. Does nothing if they could not be seen. To be called before the first command; idempotent. */
export function adoptOrphans(childCalls: ChildCalls): void {
  if (calls !== undefined || !seesProcesses() || readChildren(process.pid, 0) === undefined) return;
  if (!childCalls.becomeSubreaper()) return;
  calls = childCalls;
  ownSession = readProcEntry(process.pid)?.session ?? 0;
  process.on('SIGCHLD', reapLater);
}

function reapLater(): void {
  if (isReapDue) return;
  isReapDue = true;
  const reap = (): void => {
    isReapDue = false;
    livingOrphans();
  };
  setTimeout(reap, REAP_AFTER_MS).unref();
}

/**
 * Orphans that are alive. Those that have ended are reaped, and their pids are in `died` once.
 * @returns undefined if orphans do not come to this process, or cannot be seen
 */
export function livingOrphans(): { readonly entries: ProcEntry[]; readonly died: number[] } | undefined {
  if (calls === undefined) return undefined;
  // 0: look at all threads, however many there are.
  const children = readChildren(process.pid, 0);
  if (children === undefined) return undefined;
  const entries: ProcEntry[] = [];
  const dead = new Map<number, number>();
  const died: number[] = [];
  // The youngest stand last. One that forks and ends without a pause is caught by the look that comes to it in time.
  for (const pid of children.reverse()) {
    if (ownChild(pid) !== undefined) continue;
    const entry = readEntry(pid, process.pid);
    if (entry === undefined || entry.session === ownSession) continue;
    if (entry.startTime === undefined ? calls.peek(pid) === undefined : entry.alive) {
      entries.push(entry);
      continue;
    }
    const seenAt = unreaped.get(pid);
    if (seenAt === undefined) died.push(pid);
    if (allRegistered(seenAt ?? lastStart())) calls.reap(pid);
    else dead.set(pid, seenAt ?? lastStart());
  }
  unreaped = dead;
  if (dead.size > 0) reapLater();
  return { entries, died };
}

/** As `readProcEntry`; for a process that /proc hides (hidepid, or not dumpable) it returns what the kernel tells without /proc. */
export function readEntry(pid: number, parent: number): ProcEntry | undefined {
  const entry = readProcEntry(pid);
  if (entry !== undefined || calls === undefined) return entry;
  const session = calls.sessionOf(pid);
  if (session < 0) return undefined;
  return {
    pid,
    parent,
    group: calls.groupOf(pid),
    session,
    startTime: undefined,
    alive: true,
    runnable: false,
    headless: false,
    threads: 1,
  };
}

/** Whether orphans come to this process. */
export function adoptsOrphans(): boolean {
  return calls !== undefined;
}
