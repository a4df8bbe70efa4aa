/** Sends signals only to the intended process, never to another one that has its number by now. It decides nothing. */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { ChildCalls } from './child-calls.js';
import { adoptsOrphans } from './orphans.js';
import { type OwnChild, ownChild } from './own-children.js';
import { type ProcEntry, readChildren, readProcEntry } from './proc-table.js';

let calls: Pick<ChildCalls, 'openPidfd' | 'signalPidfd'> | undefined;

/**
 * Uses pidfds from now on. Without them a number is compared with the start time right before the signal, which leaves a gap of some microseconds.
 */
export function signalByPidfd(childCalls: Pick<ChildCalls, 'openPidfd' | 'signalPidfd'>): void {
  calls = childCalls;
}

/** Signals a process as it was found in /proc. */
export function signalProcess(entry: ProcEntry, signal: NodeJS.Signals): void {
  const { pid } = entry;
  if (isSure(entry)) {
    send(pid, signal);
    return;
  }
  const pidfd = calls?.openPidfd(pid) ?? -1;
  if (pidfd < 0 || calls === undefined) {
    if (isStill(entry)) send(pid, signal);
    return;
  }
  // AFTER the descriptor is open: it means the process that is checked now, and the signal goes to it.
  if (isStill(entry)) calls.signalPidfd(pidfd, constants.signals[signal]);
  closeSync(pidfd);
}

/** Signals a child and its group, as long as its number is certain. @returns whether there was such a group, even one of zombies only */
export function signalOwnChild(child: OwnChild, signal: NodeJS.Signals): boolean {
  if (child.isReaped) return false;
  const reached = send(-child.pid, signal);
  // A child that node-pty forks gets a group of its own only a moment later.
  return reached || (!child.hasEnded() && send(child.pid, signal));
}

/**
 * Signals the group of a command's leader. Cheap, because no process is looked up.
 * @returns whether there was such a group, even one of zombies only
 */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  const child = ownChild(pid);
  if (child !== undefined) return signalOwnChild(child, signal);
  // Node or node-pty has reaped the leader. While its group has members, the kernel gives the number to no process; so a process with this number has nothing to do with the group.
  return pid > 1 && pid !== process.pid && readProcEntry(pid) === undefined && send(-pid, signal);
}

/** Whether it is this user's to signal. */
export function maySignal({ pid }: ProcEntry): boolean {
  return send(pid, 0);
}

/** Whether only this process can reap it. It was not reaped, because its entry was found. */
function isSure({ pid, parent }: ProcEntry): boolean {
  return ownChild(pid)?.isHeld ?? (parent === process.pid && adoptsOrphans());
}

/** Whether the number still means the same process; the entry was read some time ago. */
function isStill({ pid, parent, startTime }: ProcEntry): boolean {
  if (startTime !== undefined) return readProcEntry(pid)?.startTime === startTime;
  // /proc hides it. If it is a child of the same parent now, it belongs to that parent in any case.
  return ownChild(pid) !== undefined || (readChildren(parent, 0)?.includes(pid) ?? false);
}

/** @returns false when no process got the signal */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false; // ESRCH: it is gone. EPERM: it belongs to another user; the caller sees that it survives.
  }
}
