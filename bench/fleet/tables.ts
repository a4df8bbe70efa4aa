/** The tables of docs/fleet.md as Markdown, a row for each fleet. Knows which run fills which cell, and no text around them. */
import { type FleetSize, HOUR_MS, MINUTE_MS, measured, SECOND_MS } from './assumptions.js';
import { RULES, type Rule } from './balancers.js';
import {
  COMMAND_LENGTHS_MS,
  chosen,
  claimsPerSecond,
  DRAIN_TIMEOUTS_MS,
  fates,
  month,
  poolSize,
  poolSizeByFormula,
  roll,
  START_TIMES_MS,
  stormPair,
  zone,
} from './scenarios.js';

/** A whole number with commas. */
export const count = (value: number): string => Math.round(value).toLocaleString('en-US');
/** A number with so many digits behind the point. */
const fixed = (value: number, digits: number): string => value.toFixed(digits);
const percent = (share: number): string => `${fixed(share * 100, 1)} %`;

/** A duration in the unit that people would say. */
export function duration(ms: number): string {
  if (ms >= HOUR_MS) return `${fixed(ms / HOUR_MS, 1).replace('.0', '')} h`;
  if (ms >= 2 * MINUTE_MS) return `${fixed(ms / MINUTE_MS, 1).replace('.0', '')} min`;
  if (ms >= SECOND_MS) return `${fixed(ms / SECOND_MS, 1).replace('.0', '')} s`;
  return `${fixed(ms, ms < 10 ? 1 : 0)} ms`;
}

/** A table whose columns after the first are right-aligned. */
export function table(head: readonly string[], rows: readonly string[]): string {
  const rule = head.map((_, at) => (at === 0 ? '---' : '--:'));
  return [`| ${head.join(' | ')} |`, `| ${rule.join(' | ')} |`, ...rows].join('\n');
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const fleetCells = ({ replicas, clientsPerReplica }: FleetSize): string[] => [
  `${count(replicas)} × ${count(clientsPerReplica)}`,
];

export const STORM_HEAD = [
  'replicas × clients',
  'attempts in the busiest second, without jitter',
  'with',
  'in the busiest tenth, without',
  'with',
  'longest handshake, without',
  'with',
  'half back after, without',
  'with',
  'all back after, without',
  'with',
  'failed attempts a client, without',
  'with',
];

/** A storm at one fleet, the figures of both back-offs beside each other. */
export function stormRow(size: FleetSize, seed: number, changes: Parameters<typeof stormPair>[2] = {}): string {
  const pair = stormPair(size, seed, changes);
  const both = (cell: (figures: typeof pair.with) => string): string[] => [cell(pair.without), cell(pair.with)];
  return row([
    ...fleetCells(size),
    ...both(({ busiestSecond }) => count(busiestSecond)),
    ...both(({ busiestBin }) => count(busiestBin)),
    ...both(({ longestHandshakeMs }) => duration(longestHandshakeMs)),
    ...both(({ halfBackMs }) => duration(halfBackMs)),
    ...both(({ allBackMs }) => duration(allBackMs)),
    ...both(({ failedAttempts, clients }) => fixed(failedAttempts / clients, 1)),
  ]);
}

export const SLOW_HEAD = [
  'handshakes a second of the replica',
  'back within a minute, without jitter',
  'with',
  'the last of them after, without',
  'with',
  'failed attempts a client, without',
  'with',
];

/** A full replica that takes handshakes at other speeds. */
export function slowRows(seed: number): string[] {
  const { maxConnections, handshakesPerSecond } = measured;
  const size = { replicas: 1, clientsPerReplica: maxConnections.value };
  return [handshakesPerSecond.value, handshakesPerSecond.value / 2, handshakesPerSecond.value / 4].map((perSecond) => {
    const { without, with: jittered } = stormPair(size, seed, { handshakesPerSecond: perSecond });
    const both = (cell: (figures: typeof without) => string): string[] => [cell(without), cell(jittered)];
    return row([
      count(perSecond),
      ...both(({ gaveUp, clients }) => percent(1 - gaveUp / clients)),
      ...both(({ allBackMs }) => duration(allBackMs)),
      ...both(({ failedAttempts, clients }) => fixed(failedAttempts / clients, 1)),
    ]);
  });
}

export const ROLL_HEAD = [
  'replicas × clients',
  'rule',
  'moves a client',
  'connections opened in the busiest second',
  'longest handshake',
  'variation before',
  'after',
  'most by mean after',
  'least by mean',
  'empty replicas',
];

/** A roll at one fleet by each rule. */
export function rollRows(size: FleetSize, seed: number, surge = true): string[] {
  return RULES.map((rule) => {
    const figures = roll(size, seed, rule, surge);
    return row([
      ...fleetCells(size),
      rule,
      fixed(figures.movesPerClient, 2),
      count(figures.busiestSecond),
      duration(figures.longestHandshakeMs),
      fixed(figures.before.variation, 2),
      fixed(figures.after.variation, 2),
      fixed(figures.after.mostByMean, 2),
      fixed(figures.after.leastByMean, 2),
      percent(figures.after.emptyShare),
    ]);
  });
}

export const ZONE_HEAD = [
  'replicas × clients',
  'clients that move',
  'connections opened in the busiest second: processes end',
  'machines fall silent',
  'longest handshake: processes end',
  'machines fall silent',
  'most by mean after: leastconn',
  'hash',
];

/** The loss of a zone at one fleet. */
export function zoneRow(size: FleetSize, seed: number): string {
  const loss = (rule: Rule, loses: 'processes' | 'machines'): ReturnType<typeof zone> => zone(size, seed, rule, loses);
  const ended = loss('hash', 'processes');
  const silent = loss('hash', 'machines');
  return row([
    ...fleetCells(size),
    count(ended.moved),
    count(ended.busiestSecond),
    count(silent.busiestSecond),
    duration(ended.longestHandshakeMs),
    duration(silent.longestHandshakeMs),
    fixed(loss('leastconn', 'processes').after.mostByMean, 2),
    fixed(ended.after.mostByMean, 2),
  ]);
}

export const MONTH_HEAD = [
  'replicas × clients',
  'crashes',
  'one in',
  'clients moved',
  'connections opened in the busiest second',
  'detached commands lost',
];

/** A month of crashes at one fleet. */
export function monthRow(size: FleetSize, seed: number): string {
  const figures = month(size, seed);
  const everyMs = (chosen.days * 24 * HOUR_MS) / Math.max(1, figures.crashes);
  return row([
    ...fleetCells(size),
    count(figures.crashes),
    duration(everyMs),
    count(figures.moves),
    count(figures.busiestSecond),
    count(figures.lostCommands),
  ]);
}

export const FATE_HEAD = [
  'commands run, in the mean',
  'deadline of the drain',
  'killed at the deadline',
  'client attached: kept',
  'client away, led back: kept',
  'result lost',
  'client away, not led back: kept',
  'unreachable',
];

/** What becomes of detached commands, for each length and each deadline. */
export function fateRows(seed: number): string[] {
  return COMMAND_LENGTHS_MS.flatMap((commandMs) =>
    DRAIN_TIMEOUTS_MS.map((drainTimeoutMs) => {
      const run = (awayMs: number, leadsBack: boolean): ReturnType<typeof fates> =>
        fates(seed, { commandMs, drainTimeoutMs, awayMs, leadsBack });
      const attached = run(0, true);
      const ledBack = run(chosen.awayMs, true);
      const notLedBack = run(chosen.awayMs, false);
      return row([
        duration(commandMs),
        duration(drainTimeoutMs),
        percent(attached.killed),
        percent(attached.kept),
        percent(ledBack.kept),
        percent(ledBack.resultLost),
        percent(notLedBack.kept),
        percent(notLedBack.unreachable),
      ]);
    }),
  );
}

export const POOL_HEAD = [
  'sandboxes in use',
  'claims a second',
  ...START_TIMES_MS.flatMap((startMs) => [`ready after ${duration(startMs)}: pool`, `claims by ${chosen.together}`]),
];

/** Pools for a fleet of sandboxes; the formula's figure behind the simulated one where they differ. */
export function poolRow(sandboxes: number, seed: number): string {
  const perSecond = claimsPerSecond(sandboxes);
  return row([
    count(sandboxes),
    perSecond < 1 ? fixed(perSecond, 3) : fixed(perSecond, 1),
    ...START_TIMES_MS.flatMap((startMs) => {
      const simulated = poolSize(perSecond, startMs, 1, seed);
      const formula = poolSizeByFormula(perSecond, startMs);
      const single = simulated === formula ? count(simulated) : `${count(simulated)} (${count(formula)})`;
      return [single, count(poolSize(perSecond, startMs, chosen.together, seed))];
    }),
  ]);
}
