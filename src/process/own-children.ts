/**
 * The children that this process has started and that were not reaped yet. As long as a child is registered here, its number, also as that of a group
 * and a session, cannot be given to another process. It signals nothing, and does not know how children are started.
 *
 * There is one register for the process, as the kernel has one list of children for it.
 */
import { readProcEntry } from './proc-table.js';

/** One child, from its start until it is reaped. */
export interface OwnChild {
  readonly pid: number;
  /** Whether another process may have its number by now. */
  readonly isReaped: boolean;
  /** Whether only {@link release} lets it be reaped. Otherwise Node or node-pty reaps it as soon as it ends, and reports that a moment later. */
  readonly isHeld: boolean;
  /** Asks the kernel, which may know of an end that the event loop has not reported yet. */
  hasEnded(): boolean;
  /** Its number is not needed any more: it is reaped as soon as it has ended. Idempotent. */
  release(): void;
  /**
   * Keeps its number taken also after {@link release}. Has no effect on a child that is not held.
   * @returns a function that ends this, to be called once
   */
  keep(): () => void;
}

const children = new Map<number, OwnChild>();

/** The child with this number; undefined when the number belongs, or may belong, to another process. */
export function ownChild(pid: number): OwnChild | undefined {
  return children.get(pid);
}

/** The numbers, in order, of starts on other threads whose pids are not known here yet. */
const startsUnderWay = new Set<number>();
let startCount = 0;

/**
 * To be called before a start on another thread, because its child exists before it can be registered.
 * @returns a function to call after the start
 */
export function beginStart(): () => void {
  startCount += 1;
  const start = startCount;
  startsUnderWay.add(start);
  return () => startsUnderWay.delete(start);
}

/** The number of the last start. */
export function lastStart(): number {
  return startCount;
}

/** Whether every child of a start up to this one is registered. */
export function allRegistered(start: number): boolean {
  for (const oldest of startsUnderWay) return oldest > start;
  return true;
}

/** To be called before the event loop's next turn, or before the start is reported as over. */
export function addOwnChild(child: OwnChild): void {
  children.set(child.pid, child);
}

/** To be called in the tick in which it is reaped. */
export function removeOwnChild(child: OwnChild): void {
  if (children.get(child.pid) === child) children.delete(child.pid);
}

/**
 * Registers a child that Node or node-pty reaps as soon as it ends: its number is certain only until then.
 * @returns a function to call when its end is reported
 */
export function addChildReapedElsewhere(pid: number): () => void {
  const child = new ChildReapedElsewhere(pid);
  addOwnChild(child);
  return () => {
    child.isReaped = true;
    removeOwnChild(child);
  };
}

class ChildReapedElsewhere implements OwnChild {
  readonly pid: number;
  readonly isHeld = false;
  isReaped = false;
  readonly #startTime: number | undefined;

  constructor(pid: number) {
    this.pid = pid;
    this.#startTime = readProcEntry(pid)?.startTime;
  }

  hasEnded(): boolean {
    if (this.isReaped) return true;
    // If it could not be seen at its start, nothing is known until its end is reported.
    if (this.#startTime === undefined) return false;
    const entry = readProcEntry(this.pid);
    return entry === undefined || !entry.alive || entry.startTime !== this.#startTime;
  }

  release(): void {}

  keep(): () => void {
    return () => {};
  }
}
