// The targets of execwire as data: a row for each line of the targets table, with a check for each condition. Pure.

import { FLOOR, US } from './contenders.mjs';
import { medianOf, ratioTo } from './results.mjs';

/** @typedef {import('./results.mjs').Results} Results */
/**
 * @typedef {object} Check
 * @property {string} label
 * @property {(results: Results) => number | undefined} value Undefined when the run has no figure for it.
 * @property {number} limit
 * @property {'at least' | 'at most'} bound
 * @property {string} unit
 */
/** @typedef {{ title: string, checks: Check[] }} Target */

/** The first peer is the reference. @param {Results} results */
function reference(results) {
  return results.contenders.find(({ kind }) => kind === 'peer')?.name ?? '';
}

/** @param {string} name @param {string} key @returns {Check['value']} */
const own = (name, key) => (results) => medianOf(results, name, key, US);
/** Ours per the reference's. @param {string} name @param {string} key @returns {Check['value']} */
const perReference = (name, key) => (results) => ratioTo(results, name, key, reference(results));
/** Ours per the floor's. @param {string} name @param {string} key @returns {Check['value']} */
const perFloor = (name, key) => (results) => ratioTo(results, name, key, FLOOR);
/** The reference's figure divided by ours. @param {string} name @param {string} key @returns {Check['value']} */
const timesFaster = (name, key) => (results) => {
  const ratio = perReference(name, key)(results);
  return ratio === undefined ? undefined : 1 / ratio;
};

/** One figure of ours per another of the same case. @param {string} name @param {string} key @param {string} other @returns {Check['value']} */
const perOwn = (name, key, other) => (results) => {
  const [value, base] = [medianOf(results, name, key, US), medianOf(results, name, other, US)];
  return value === undefined || base === undefined ? undefined : value / base;
};

/** Start on one line of Node, per the reference's start. @param {number} major @returns {Check['value']} */
const startOnNode = (major) => (results) => {
  const ours = results.contenders.find(
    ({ kind, node }) => (kind === 'us' || kind === 'node') && node?.startsWith(`v${major}.`),
  );
  const theirs = medianOf(results, 'start', 'ready_ms', reference(results));
  const value = ours && medianOf(results, 'start', 'ready_ms', ours.name);
  return value === undefined || theirs === undefined ? undefined : value / theirs;
};

/** @param {Results} results */
function requestGrowth(results) {
  const many = medianOf(results, 'growth-connections', 'request_p99_ms@1000', US);
  const few = medianOf(results, 'growth-connections', 'request_p99_ms@10', US);
  return many === undefined || few === undefined ? undefined : many / few;
}

/** @param {string} label @param {Check['value']} value @param {number} limit @param {string} unit @returns {Check} */
const atLeast = (label, value, limit, unit) => ({ label, value, limit, bound: 'at least', unit });
/** @param {string} label @param {Check['value']} value @param {number} limit @param {string} unit @returns {Check} */
const atMost = (label, value, limit, unit) => ({ label, value, limit, bound: 'at most', unit });

/** @type {Target[]} */
const TARGETS = [
  {
    title: 'pipe stream',
    checks: [atLeast('speed', perReference('pipe-stream', 'mb_per_second'), 2, '× reference')],
  },
  {
    title: 'raw PTY stream',
    checks: [
      atLeast('speed', perFloor('pty-stream', 'mb_per_second'), 0.9, '× a blocking read loop in C'),
      atLeast('speed', perReference('pty-stream', 'mb_per_second'), 1.8, '× reference'),
    ],
  },
  {
    title: 'keystroke echo',
    checks: [
      atMost('p50', own('echo', 'p50_ms'), 0.25, 'ms'),
      atLeast('p50', timesFaster('echo', 'p50_ms'), 100, 'times as fast as the reference'),
      atMost('p99 beside a stream on another connection', own('echo-beside-stream', 'p99_ms'), 5, 'ms'),
      atMost('p99 beside a stream on the same connection', own('echo-same-connection', 'p99_ms'), 20, 'ms'),
    ],
  },
  {
    title: 'requests',
    checks: [
      atLeast('pipelined', perReference('pipelined', 'per_second'), 6, '× reference'),
      atMost('round trip p50', perReference('round-trip', 'p50_ms'), 0.5, '× reference'),
      atMost('round trip p99', perReference('round-trip', 'p99_ms'), 1, '× reference'),
    ],
  },
  {
    title: '`/bin/true`',
    checks: [
      atMost('p50', perReference('true-pipes', 'p50_ms'), 0.5, '× reference'),
      atMost('p50', perFloor('true-pipes', 'p50_ms'), 2.5, '× posix_spawn and wait'),
    ],
  },
  {
    title: '`/bin/true` in a sandbox',
    checks: [
      atMost('`readOnly` p50', perOwn('sandboxed-true', 'p50_ms', 'plain_p50_ms'), 1.5, '× without a policy'),
      atLeast('`readOnly` p50', timesFaster('sandboxed-true', 'p50_ms'), 10, 'times as fast as the reference'),
    ],
  },
  {
    title: 'memory',
    checks: [
      atMost('PSS idle', perReference('memory', 'pss_mb'), 1, '× reference'),
      atMost('RSS idle', own('memory', 'rss_mb'), 100, 'MB'),
      atMost('per idle connection', own('memory', 'per_connection_kb'), 8, 'KB'),
      atMost('PSS with 10,000 idle connections', own('memory-10k', 'pss_10k_mb'), 200, 'MB'),
    ],
  },
  {
    title: 'start to the first `/readyz` 200',
    checks: [
      atMost('on Node 24', startOnNode(24), 1.5, '× reference'),
      atMost('on Node 20', startOnNode(20), 2.5, '× reference'),
    ],
  },
  {
    title: 'coming back',
    checks: [
      atLeast(
        'replay',
        perOwn('attach-replay', 'replay_mb_per_second', 'live_mb_per_second'),
        0.8,
        '× the live stream',
      ),
      atLeast('writer beside a stopped observer, 95 % sure', own('attach-observer-cost', 'ratio_low'), 0.95, '× alone'),
    ],
  },
  {
    title: '`execwire exec -- true`',
    checks: [
      atMost('begin to end', own('cli', 'ratio'), 1.8, '× `node -e 0`'),
      atMost('begin to end', own('cli', 'more_ms'), 40, 'ms more than `node -e 0`'),
    ],
  },
  {
    title: 'growth',
    checks: [atMost('p99 of a request at 1,000 connections', requestGrowth, 3, '× that at 10')],
  },
];

/** @typedef {{ title: string, check: Check, value: number | undefined, met: boolean | undefined }} Verdict */

/** Every check with its value; `met` is undefined where the run has no figure. @param {Results} results @returns {Verdict[]} */
export function judge(results) {
  return TARGETS.flatMap(({ title, checks }) =>
    checks.map((check) => {
      const value = check.value(results);
      if (value === undefined) return { title, check, value, met: undefined };
      return { title, check, value, met: check.bound === 'at least' ? value >= check.limit : value <= check.limit };
    }),
  );
}
