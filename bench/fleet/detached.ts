/**
 * What becomes of detached commands when their replica drains. Follows docs/attach.md: a command runs on until its end or the deadline, a client that
 * comes back is led to it while its replica lives, and a result that nobody has fetched is lost with the replica. Knows no balancer beyond that.
 */
import { measured } from './assumptions.js';
import { Random } from './random.js';

/** A detached command at the moment in which its pod is told to end. Times are milliseconds from then. */
export interface DetachedCommand {
  readonly endsMs: number;
  /** When its client is back; 0 for one that is attached. */
  readonly backMs: number;
}

/** What becomes of it. */
export const FATES = ['kept', 'killed', 'resultLost', 'unreachable'] as const;
/**
 * `kept`: its client gets the result. `killed`: it ran at the deadline. `resultLost`: it ended, and its replica went before the client came back.
 * `unreachable`: it ran on, and its client was sent to another replica.
 */
export type Fate = (typeof FATES)[number];

export interface Drain {
  /** Milliseconds from the notice to the deadline. */
  readonly drainTimeoutMs: number;
  /** Whether the balancer leads a client that comes back to the replica of its command. */
  readonly leadsBack: boolean;
}

/** Milliseconds from the end of a pod's time to the notice to all clients. */
const NOTICE_MS = measured.preStopMs.value + measured.drainDelayMs.value;

/** When a replica goes: when its last command has ended, after the notice at the earliest and at the deadline at the latest. */
export function leavesMs(commands: readonly DetachedCommand[], drainTimeoutMs: number): number {
  const lastMs = commands.reduce((last, { endsMs }) => Math.max(last, endsMs), NOTICE_MS);
  return Math.min(lastMs, NOTICE_MS + drainTimeoutMs);
}

/** The fates of all commands of one replica, in their order. */
export function fatesOf(commands: readonly DetachedCommand[], { drainTimeoutMs, leadsBack }: Drain): Fate[] {
  const deadlineMs = NOTICE_MS + drainTimeoutMs;
  const goneMs = leavesMs(commands, drainTimeoutMs);
  return commands.map(({ endsMs, backMs }) => {
    if (endsMs > deadlineMs) return 'killed';
    if (backMs > 0 && !leadsBack) return 'unreachable';
    return backMs <= goneMs ? 'kept' : 'resultLost';
  });
}

export interface DetachedOptions extends Drain {
  readonly replicas: number;
  readonly commandsPerReplica: number;
  /** Mean milliseconds of a command. Its age does not matter: what is left of a command of random length is as long as the whole one. */
  readonly commandMs: number;
  /** Mean milliseconds until its client is back; 0: all are attached. */
  readonly awayMs: number;
  readonly seed: number;
}

/** Share of each fate, all replicas drained. */
export function simulateDetached(options: DetachedOptions): Readonly<Record<Fate, number>> {
  const { replicas, commandsPerReplica, commandMs, awayMs } = options;
  const random = new Random(options.seed);
  const counts = { kept: 0, killed: 0, resultLost: 0, unreachable: 0 };
  for (let replica = 0; replica < replicas; replica += 1) {
    const commands = Array.from({ length: commandsPerReplica }, () => ({
      endsMs: random.exponential(commandMs),
      backMs: awayMs === 0 ? 0 : random.exponential(awayMs),
    }));
    for (const fate of fatesOf(commands, options)) counts[fate] += 1;
  }
  const total = replicas * commandsPerReplica;
  for (const fate of FATES) counts[fate] /= total;
  return counts;
}
