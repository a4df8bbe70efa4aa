/**
 * Sends signals to the process that is meant and to no other that has its number by now. It decides nothing.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { ChildCalls } from './child-calls.js';
import { adoptsOrphans } from './orphans.js';
import { type OwnChild, ownChild } from './own-children.js';
import { type ProcEntry, readChildren, readProcEntry } from './proc-table.js';

let calls: Pick<ChildCalls, 'openPidfd' | 'signalPidfd'> | undefined;

/** Without it a number is compared with the start time right before the signal, which leaves some microseconds. */
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
  // AFTER the descriptor is there: from now on the number is looked at, and the descriptor is what is signalled.
  if (isStill(entry)) calls.signalPidfd(pidfd, constants.signals[signal]);
  closeSync(pidfd);
}

/** Signals a child and its group, as long as its number is sure. @returns whether there was such a group, if only of zombies */
export function signalOwnChild(child: OwnChild, signal: NodeJS.Signals): boolean {
  if (child.isReaped) return false;
  const reached = send(-child.pid, signal);
  // A child that node-pty forks has no group of its own until a moment later.
  return reached || (!child.hasEnded() && send(child.pid, signal));
}

/**
 * Signals the group that a command's leader leads; cheap, for nobody is looked up.
 * @returns whether there was such a group, if only of zombies
 */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  const child = ownChild(pid);
  if (child !== undefined) return signalOwnChild(child, signal);
  // Reaped by Node or node-pty at its end. While its group has members the number belongs to no process; a holder is a stranger.
  return pid > 1 && pid !== process.pid && readProcEntry(pid) === undefined && send(-pid, signal);
}

/** Nobody but this process reaps it, and it has not, or the entry would not have been found. */
function isSure({ pid, parent }: ProcEntry): boolean {
  return ownChild(pid)?.isHeld ?? (parent === process.pid && adoptsOrphans());
}

/** Whether the number still means the same process: what was read is some time old. */
function isStill({ pid, parent, startTime }: ProcEntry): boolean {
  if (startTime !== undefined) return readProcEntry(pid)?.startTime === startTime;
  // Hidden by /proc: a child of that parent now, too, and so whichever it is the parent's.
  return ownChild(pid) !== undefined || (readChildren(parent, 0)?.includes(pid) ?? false);
}

/** @returns false when nobody was there to get it. */
function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false; // ESRCH: gone. EPERM: another user's by now, or out of our reach; the caller sees it survive.
  }
}
