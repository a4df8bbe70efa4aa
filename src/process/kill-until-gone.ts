/** Signals all processes of commands, and kills them until none is left. It does not know why. */
import { type ProcEntry, seesProcesses } from './proc-table.js';
import { maySignal, signalOwnChild, signalProcess } from './process-signals.js';
import { TreeScan, type TreeTarget } from './tree-scan.js';

/** Waits between looks at killed processes, in ms all together. A killed process needs a moment to end, and longer while the kernel has much to do. */
const WAITS_MS = 2000;
/** The same while killed processes are only waiting for a processor: on a machine with much more work than processors that takes long. */
const STARVED_WAITS_MS = 60_000;
/** Longest wait between two looks, in ms. The first is 1 ms, and each is twice as long as the one before, unless a look finds something new. */
const MAX_DELAY_MS = 500;
/** Looks in a row while each finds a new process: a tree that forks as fast as it can loses this race quickly. */
const LOOKS_AT_ONCE = 4;
/** How long looks may go on, in ms, before the event loop gets its turn. A process that forks and exits again and again is hard to catch. */
const LOOKING_MS = 5;

/**
 * Sends a signal once to every process of some commands, children before their parents, and SIGCONT after it, so that a stopped process can act on
 * it. For SIGKILL there is {@link killUntilGone}.
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
 * Ends every process of some commands with SIGKILL. All are stopped first, round by round, until a look finds no new process: a stopped process
 * cannot fork, and no shell continues when its children die. The first rounds are over when this function returns its promise.
 * @returns pids that are alive after 2 s, such as a process in an uninterruptible wait or one of another user, and after a minute where they only get no processor
 */
export async function killUntilGone(targets: readonly TreeTarget[]): Promise<number[]> {
  // First, because nothing in a control group escapes it by forking. What is outside, or was, the looks find.
  for (const { cgroups, mark } of targets) cgroups?.kill(mark);
  const scan = new TreeScan(targets);
  let left = kill(scan);
  let delayMs = 1;
  // Looks do not count: at a thousand processes, on a busy machine, they take longer than the waits.
  for (let waitedMs = 0; (left.length > 0 || scan.isRestless) && waitedMs < limitMs(left); ) {
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    waitedMs += delayMs;
    const startedAtMs = performance.now();
    left = kill(scan);
    // At most half of the time is spent on looks, which take long where the host's whole table has to be read.
    const lookedMs = Math.ceil(performance.now() - startedAtMs);
    delayMs = scan.isRestless ? Math.max(LOOKING_MS, lookedMs) : Math.min(2 * delayMs, MAX_DELAY_MS);
  }
  return left.map(({ pid }) => pid);
}

function limitMs(left: readonly ProcEntry[]): number {
  return left.some((entry) => entry.runnable && maySignal(entry)) ? STARVED_WAITS_MS : WAITS_MS;
}

/** @returns processes that were alive at the last look */
function kill(scan: TreeScan): ProcEntry[] {
  const stop = (entry: ProcEntry): void => signalProcess(entry, 'SIGSTOP');
  const untilMs = performance.now() + LOOKING_MS;
  let found = scan.look(stop);
  for (let looks = 1; scan.isRestless && (looks < LOOKS_AT_ONCE || performance.now() < untilMs); looks += 1) {
    found = scan.look(stop);
  }
  for (const entry of found.toReversed()) signalProcess(entry, 'SIGKILL');
  // Leaders are signalled even if no process can be seen.
  for (const leader of scan.leaders) signalOwnChild(leader, 'SIGKILL');
  return found;
}
