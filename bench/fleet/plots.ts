/** The plots of docs/fleet.md: which figures each shows. Knows no drawing. */
import { HOUR_MS, MINUTE_MS, SECOND_MS } from './assumptions.js';
import { RULES } from './balancers.js';
import { svgOf } from './plot.js';
import { BIN_MS } from './rate.js';
import {
  chosen,
  DRAIN_TIMEOUTS_MS,
  fates,
  poolSize,
  poolSizeByFormula,
  roll,
  START_TIMES_MS,
  stormPair,
} from './scenarios.js';
import { duration } from './tables.js';

/** The fleet of the plots of storms and rolls. */
const SHOWN = { replicas: 100, clientsPerReplica: 1_000 };
const STORM_SHOWN_MS = 18 * SECOND_MS;

/** A point for each of so many values in even steps of a logarithm. */
function logSteps(from: number, to: number, steps: number): number[] {
  return Array.from({ length: steps + 1 }, (_, step) => from * (to / from) ** (step / steps));
}

function stormPlot(seed: number): string {
  const pair = stormPair(SHOWN, seed);
  const points = (bins: readonly number[]): [number, number][] =>
    Array.from({ length: STORM_SHOWN_MS / BIN_MS }, (_, bin) => [(bin * BIN_MS) / SECOND_MS, bins[bin] ?? 0]);
  return svgOf({
    title: 'Attempts to connect after a break of all connections',
    x: {
      label: `seconds since the break; the outage lasts ${chosen.outageMs / SECOND_MS}`,
      from: 0,
      to: STORM_SHOWN_MS / SECOND_MS,
      ticks: [0, 3, 6, 9, 12, 15, 18].map((second) => [second, String(second)]),
    },
    y: {
      label: 'attempts in a tenth of a second',
      from: 10,
      to: 1e6,
      isLog: true,
      ticks: [10, 100, 1_000, 1e4, 1e5, 1e6].map((value) => [value, value.toLocaleString('en-US')]),
    },
    series: [
      { name: 'without jitter', as: 'steps', points: points(pair.without.attemptsPerBin) },
      { name: 'with jitter, as the client', as: 'steps', points: points(pair.with.attemptsPerBin) },
    ],
  });
}

function balancePlot(seed: number): string {
  const mean = SHOWN.clientsPerReplica;
  return svgOf({
    title: 'Connections of each replica after a rolling restart',
    x: {
      label: 'replicas, fewest connections first',
      from: 0,
      to: 100,
      ticks: [0, 25, 50, 75, 100].map((share) => [share, `${share} %`]),
    },
    y: {
      label: 'connections by the mean',
      from: 0,
      to: 3,
      ticks: [0, 1, 2, 3].map((value) => [value, String(value)]),
    },
    series: RULES.map((rule) => {
      const { loads } = roll(SHOWN, seed, rule);
      return {
        name: rule,
        as: 'line' as const,
        points: loads.map((load, at) => [(100 * at) / (loads.length - 1), load / mean] as const),
      };
    }),
  });
}

function detachedPlot(seed: number): string {
  return svgOf({
    title: 'Detached commands that a drain lets finish, by its deadline',
    x: {
      label: 'mean length of a command',
      from: 10 * SECOND_MS,
      to: 10 * HOUR_MS,
      isLog: true,
      ticks: [10 * SECOND_MS, MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 10 * HOUR_MS].map((ms) => [
        ms,
        ms === MINUTE_MS ? '1 min' : duration(ms),
      ]),
    },
    y: {
      label: 'kept, clients attached',
      from: 0,
      to: 1,
      ticks: [0, 0.25, 0.5, 0.75, 1].map((share) => [share, `${share * 100} %`]),
    },
    series: DRAIN_TIMEOUTS_MS.map((drainTimeoutMs) => ({
      name: `--drain-timeout ${duration(drainTimeoutMs)}`,
      as: 'line' as const,
      points: logSteps(10 * SECOND_MS, 10 * HOUR_MS, 24).map(
        (commandMs) =>
          [commandMs, fates(seed, { commandMs, drainTimeoutMs, awayMs: 0, leadsBack: true }).kept] as const,
      ),
    })),
  });
}

function poolPlot(seed: number): string {
  const rates = logSteps(0.01, 100, 16);
  return svgOf({
    title: `Sandboxes to keep ready so that ${chosen.coldShare * 100} % of claims wait`,
    x: {
      label: 'claims a second; marks: simulated one by one, lines: by the formula',
      from: 0.01,
      to: 100,
      isLog: true,
      ticks: [0.01, 0.1, 1, 10, 100].map((rate) => [rate, String(rate)]),
    },
    y: {
      label: 'pool',
      from: 1,
      to: 10_000,
      isLog: true,
      ticks: [1, 10, 100, 1_000, 10_000].map((value) => [value, value.toLocaleString('en-US')]),
    },
    series: [
      ...START_TIMES_MS.map((startMs) => ({
        name: `ready after ${duration(startMs)}`,
        as: 'line' as const,
        points: rates.map((rate) => [rate, poolSizeByFormula(rate, startMs)] as const),
      })),
      ...START_TIMES_MS.map((startMs) => ({
        name: '',
        as: 'marks' as const,
        points: rates.map((rate) => [rate, poolSize(rate, startMs, 1, seed)] as const),
      })),
    ],
  });
}

/** File name of each plot, and how it is drawn. */
export const plots: Readonly<Record<string, (seed: number) => string>> = {
  'storm.svg': stormPlot,
  'balance.svg': balancePlot,
  'detached.svg': detachedPlot,
  'warm-pool.svg': poolPlot,
};
