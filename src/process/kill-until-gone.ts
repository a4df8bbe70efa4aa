/**
 * Signals everything that commands have started, and kills it until nothing is left. It knows nothing of why.
 */
import { type ProcEntry, seesProcesses } from './proc-table.js';
import { signalOwnChild, signalProcess } from './process-signals.js';
import { TreeScan, type TreeTarget } from './tree-scan.js';

/** Waits between two looks, in ms, 2 s in all: a killed process needs a moment to go, and a long wait is for the kernel to end. */
const LOOK_AGAIN_MS = [1, 2, 4, 8, 16, 32, 64, 128, 250, 250, 250, 500, 500] as const;
/** Looks in one go while each meets somebody new: a tree that forks as fast as it can loses this race quickly. */
const LOOKS_AT_ONCE = 4;
/** Looks may go on for so long, in ms, before the event loop gets its turn: one that forks and leaves, again and again, is hard to meet. */
const LOOKING_MS = 5;

/**
 * Sends a signal once to every process of some commands, children before their parents, and SIGCONT behind it, so that a stopped one can act
 * on it. For SIGKILL there is {@link killUntilGone}.
 */
export function signalTree(targets: readonly TreeTarget[], signal: NodeJS.Signals): void {
  const scan = new TreeScan(targets);
  for (let looks = 0; looks === 0 || (scan.isRestless && looks < LOOKS_AT_ONCE); looks += 1) {
    const fresh: ProcEntry[] = [];
    scan.look((entry) => fresh.push(entry));
    if (seesProcesses()) for (const entry of fresh.reverse()) signalAndWake(entry, signal);
    else {
      for (const leader of scan.leaders) {
        signalOwnChild(leader, signal);
        signalOwnChild(leader, 'SIGCONT');
      }
    }
  }
}

function signalAndWake(entry: ProcEntry, signal: NodeJS.Signals): void {
  signalProcess(entry, signal);
  signalProcess(entry, 'SIGCONT');
}

/**
 * Ends every process of some commands with SIGKILL. All are stopped first, round by round until a look meets nobody new: what stands still cannot
 * fork, and no shell goes on when its children die under it. The first rounds are over when this function returns its promise.
 * @returns pids of those that live after 2 s, such as one in an uninterruptible wait or another user's.
 */
export async function killUntilGone(targets: readonly TreeTarget[]): Promise<number[]> {
  const scan = new TreeScan(targets);
  let left = kill(scan);
  for (const delayMs of LOOK_AGAIN_MS) {
    if (left.length === 0 && !scan.isRestless) break;
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    left = kill(scan);
  }
  return left;
}

/** @returns pids of those that lived at the last look. */
function kill(scan: TreeScan): number[] {
  const stop = (entry: ProcEntry): void => signalProcess(entry, 'SIGSTOP');
  const untilMs = performance.now() + LOOKING_MS;
  let found = scan.look(stop);
  for (let looks = 1; scan.isRestless && (looks < LOOKS_AT_ONCE || performance.now() < untilMs); looks += 1) {
    found = scan.look(stop);
  }
  for (const entry of found.toReversed()) signalProcess(entry, 'SIGKILL');
  // Also where nobody can be seen.
  for (const leader of scan.leaders) signalOwnChild(leader, 'SIGKILL');
  return found.map(({ pid }) => pid);
}

/** Every living process of some commands, in no order. */
export function findTree(targets: readonly TreeTarget[]): number[] {
  return new TreeScan(targets).look().map(({ pid }) => pid);
}
