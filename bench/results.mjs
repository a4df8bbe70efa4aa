// What a run found: values per case, metric, contender and round, with median and spread. Pure.

import { US } from './contenders.mjs';
import { median } from './statistics.mjs';

/**
 * @typedef {object} Series Values of one contender.
 * @property {number[]} rounds
 * @property {number} median
 * @property {number} min
 * @property {number} max
 */

/** @typedef {import('./case.mjs').Metric & { key: string, series: Record<string, Series> }} MetricResult */

/**
 * @typedef {object} CaseResult
 * @property {string} name
 * @property {string} title
 * @property {string} what
 * @property {MetricResult[]} metrics
 * @property {{ contender: string, round: number, message: string }[]} errors
 * @property {string[]} skipped
 */

/**
 * @typedef {object} Results
 * @property {string} date
 * @property {{ cpu: string, cores: number, memoryGb: number, kernel: string, node: string }} machine
 * @property {{ rounds: number, quick: boolean, seconds: number }} run
 * @property {import('./contenders.mjs').Contender[]} contenders
 * @property {import('./ceiling.mjs').Ceiling} ceiling
 * @property {CaseResult[]} cases
 */

/** @param {import('./case.mjs').Case} each @returns {CaseResult} */
export function emptyCase({ name, title, what, metrics }) {
  const list = Object.entries(metrics).map(([key, metric]) => ({ key, ...metric, series: {} }));
  return { name, title, what, metrics: list, errors: [], skipped: [] };
}

/** @param {CaseResult} result @param {string} contender @param {Record<string, number>} values */
export function addRound(result, contender, values) {
  for (const metric of result.metrics) {
    const value = values[metric.key];
    if (value === undefined) continue;
    const rounds = [...(metric.series[contender]?.rounds ?? []), value];
    metric.series[contender] = { rounds, median: median(rounds), min: Math.min(...rounds), max: Math.max(...rounds) };
  }
}

/** The median of a contender, if it has one. @param {Results} results @param {string} name @param {string} key @param {string} contender */
export function medianOf(results, name, key, contender) {
  const found = results.cases.find((each) => each.name === name)?.metrics.find((metric) => metric.key === key);
  return found?.series[contender]?.median;
}

/** Ours divided by another's. @param {Results} results @param {string} name @param {string} key @param {string} other */
export function ratioTo(results, name, key, other) {
  const ours = medianOf(results, name, key, US);
  const theirs = medianOf(results, name, key, other);
  return ours === undefined || theirs === undefined || theirs === 0 ? undefined : ours / theirs;
}

/** A number with three digits that count. @param {number | undefined} value @returns {string} */
export function show(value) {
  if (value === undefined) return '-';
  if (value === 0) return '0';
  const digits = Math.max(0, Math.min(4, 2 - Math.floor(Math.log10(Math.abs(value)))));
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
