/** Which runs of the models the page shows, and with which choices. Each has the seed to itself, so that one can be repeated alone. Renders nothing. */
import { type FleetSize, HOUR_MS, MINUTE_MS, SECOND_MS } from './assumptions.js';
import type { Rule } from './balancers.js';
import { type MonthFigures, simulateMonth, simulateZone, type ZoneFigures } from './crashes.js';
import { type Fate, simulateDetached } from './detached.js';
import { type RollFigures, simulateRoll } from './rolling.js';
import { type StormFigures, simulateStorm } from './storm.js';
import { sizeByFormula, sizeFor } from './warm-pool.js';

/** What a reader may choose otherwise. */
export const chosen = {
  outageMs: 10 * SECOND_MS,
  /** Of the replicas restart together. */
  batchShare: 0.02,
  /** Each client runs one command of this mean length. */
  commandMs: MINUTE_MS,
  zoneShare: 1 / 3,
  days: 30,
  /** Between two crashes of one replica. */
  crashEveryDays: 90,
  commandsPerReplica: 10,
  /** A client that is away comes back after this time in the mean. */
  awayMs: MINUTE_MS,
  /** A sandbox lives so long in the mean. */
  lifeMs: 10 * MINUTE_MS,
  /** Of the claims may find no sandbox ready. */
  coldShare: 0.01,
  /** Claims that come together where an evaluation starts many at once. */
  together: 20,
} as const;

/** Replicas of the runs that only depend on commands: enough that a share is right to half a percent. */
const SAMPLE_REPLICAS = 5_000;
/** Claims of a run: enough that one percent of them is right to a twentieth of a percent. */
const LEAST_CLAIMS = 50_000;
/** And as many times the sandboxes that start at one time. */
const CLAIMS_BY_OFFERED = 20;

export interface StormPair {
  readonly without: StormFigures;
  readonly with: StormFigures;
}

/** A storm without and with jitter. */
export function stormPair(
  size: FleetSize,
  seed: number,
  changes: { outageMs?: number; handshakesPerSecond?: number } = {},
): StormPair {
  const options = { ...size, outageMs: chosen.outageMs, seed, ...changes };
  return { without: simulateStorm({ ...options, jitter: false }), with: simulateStorm({ ...options, jitter: true }) };
}

/** A rolling restart. */
export function roll(size: FleetSize, seed: number, rule: Rule, surge = true): RollFigures {
  const { batchShare, commandMs } = chosen;
  return simulateRoll({ ...size, rule, surge, batchShare, commandMs, seed });
}

/** The loss of a zone. */
export function zone(size: FleetSize, seed: number, rule: Rule, loses: 'processes' | 'machines'): ZoneFigures {
  return simulateZone({ ...size, rule, loses, share: chosen.zoneShare, seed });
}

/** A month of crashes. */
export function month(size: FleetSize, seed: number): MonthFigures {
  const { days, crashEveryDays, commandsPerReplica } = chosen;
  return simulateMonth({ ...size, rule: 'hash', days, crashEveryDays, commandsPerReplica, seed });
}

/** Fates of detached commands in a drain. */
export function fates(
  seed: number,
  options: { commandMs: number; drainTimeoutMs: number; awayMs: number; leadsBack: boolean },
): Readonly<Record<Fate, number>> {
  return simulateDetached({
    replicas: SAMPLE_REPLICAS,
    commandsPerReplica: chosen.commandsPerReplica,
    seed,
    ...options,
  });
}

/** Mean lengths of commands, and deadlines of drains, that the page compares. */
export const COMMAND_LENGTHS_MS = [10 * SECOND_MS, MINUTE_MS, 10 * MINUTE_MS, HOUR_MS];
export const DRAIN_TIMEOUTS_MS = [90 * SECOND_MS, 10 * MINUTE_MS, HOUR_MS];
/** Times until a sandbox is ready: its image is on the node, is pulled, or the node has to come first. */
export const START_TIMES_MS = [2 * SECOND_MS, 10 * SECOND_MS, 60 * SECOND_MS];

/** Claims a second that keep so many sandboxes alive. */
export const claimsPerSecond = (sandboxes: number): number => (sandboxes * SECOND_MS) / chosen.lifeMs;

/** The smallest pool that is good enough. @param together claims that come at once */
export function poolSize(perSecond: number, startMs: number, together: number, seed: number): number {
  const offered = (perSecond * startMs) / SECOND_MS;
  const claims = Math.max(LEAST_CLAIMS, Math.ceil(CLAIMS_BY_OFFERED * offered));
  return sizeFor(chosen.coldShare, { claimsPerSecond: perSecond, together, startMs, claims, seed });
}

/** The same for claims one by one, by the formula. */
export function poolSizeByFormula(perSecond: number, startMs: number): number {
  return sizeByFormula(chosen.coldShare, (perSecond * startMs) / SECOND_MS);
}
