/** Replicas that crash: a third of the fleet at once, as when a zone is lost, and single ones over a month. Knows no drain. */
import { DAY_MS, type FleetSize, MINUTE_MS, measured } from './assumptions.js';
import type { Rule, Slot } from './balancers.js';
import { EventQueue } from './event-queue.js';
import { type Balance, balanceOf, Fleet } from './fleet.js';
import { Random } from './random.js';

/** When the client of a machine that is gone notices it, in heartbeats: three without one, and what is left of the running two. */
const NOTICED_AFTER_HEARTBEATS = { least: 3, most: 5 };

export interface ZoneOptions extends FleetSize {
  readonly rule: Rule;
  /** What ends: the processes, so that connections break at once, or the machines, which just fall silent. */
  readonly loses: 'processes' | 'machines';
  /** Share of the replicas. */
  readonly share: number;
  readonly seed: number;
}

export interface ZoneFigures {
  /** Clients of the lost replicas. */
  readonly moved: number;
  readonly busiestSecond: number;
  readonly longestHandshakeMs: number;
  readonly after: Balance;
}

/** Loses a share of the replicas at time 0. */
export function simulateZone(options: ZoneOptions): ZoneFigures {
  const { replicas, share, loses } = options;
  const random = new Random(options.seed);
  const fleet = new Fleet(options, options.rule, random);
  const lostCount = Math.floor(replicas * share);
  const slots = Array.from({ length: replicas }, (_, slot) => slot);
  const lost = slots.slice(0, lostCount);
  // An attempt that the balancer sends to a lost replica before it has noticed is refused there and sent to another one, so it counts as there.
  for (const slot of lost) fleet.balancer.close(slot);
  const queue = new EventQueue();
  const heartbeatMs = measured.heartbeatMs.value;
  const { least, most } = NOTICED_AFTER_HEARTBEATS;
  for (const slot of lost) {
    const count = fleet.balancer.connections(slot);
    fleet.balancer.disconnect(slot, count);
    for (let client = 0; client < count; client += 1) {
      queue.add(loses === 'processes' ? 0 : heartbeatMs * (least + (most - least) * random.uniform()), slot);
    }
  }
  while (queue.next() !== undefined) fleet.connect(queue.now);
  return {
    moved: fleet.moves,
    busiestSecond: fleet.rate.busiestSecond(),
    longestHandshakeMs: fleet.longestHandshakeMs,
    after: balanceOf(fleet.loads(slots.slice(lostCount))),
  };
}

export interface MonthOptions extends FleetSize {
  readonly rule: Rule;
  readonly days: number;
  /** Mean days between two crashes of one replica. */
  readonly crashEveryDays: number;
  /** Detached commands that run on each replica. */
  readonly commandsPerReplica: number;
  readonly seed: number;
}

export interface MonthFigures {
  readonly crashes: number;
  readonly moves: number;
  readonly busiestSecond: number;
  readonly lostCommands: number;
  readonly after: Balance;
}

/** Milliseconds from a crash until a replica is there again: Kubernetes evicts the pods of a node that is gone after five minutes. */
const AWAY_MS = 5 * MINUTE_MS;

/** Single crashes, independent of one another. */
export function simulateMonth(options: MonthOptions): MonthFigures {
  const { replicas, days, crashEveryDays, commandsPerReplica } = options;
  const random = new Random(options.seed);
  const fleet = new Fleet(options, options.rule, random);
  const { balancer } = fleet;
  const queue = new EventQueue();
  const endMs = days * DAY_MS;
  const isUp = new Uint8Array(replicas).fill(1);
  let crashes = 0;
  /** Crashes are events below `replicas`, returns those above. */
  const planCrash = (slot: Slot): void => {
    const atMs = queue.now + random.exponential(crashEveryDays * DAY_MS);
    if (atMs < endMs) queue.add(atMs, slot);
  };
  for (let slot = 0; slot < replicas; slot += 1) planCrash(slot);
  for (let event = queue.next(); event !== undefined; event = queue.next()) {
    if (event >= replicas) {
      const slot = event - replicas;
      isUp[slot] = 1;
      balancer.open(slot);
      planCrash(slot);
      continue;
    }
    crashes += 1;
    isUp[event] = 0;
    balancer.close(event);
    fleet.moveAll(event, queue.now);
    queue.add(queue.now + AWAY_MS, event + replicas);
  }
  const up = Array.from(isUp.keys()).filter((slot) => isUp[slot] === 1);
  return {
    crashes,
    moves: fleet.moves,
    busiestSecond: fleet.rate.busiestSecond(),
    lostCommands: crashes * commandsPerReplica,
    after: balanceOf(fleet.loads(up)),
  };
}
