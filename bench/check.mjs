// Guards against regressions: measures execwire and the floors in one short run and compares their ratios, never absolute times, with
// bench/baseline.json. `node bench/check.mjs --write` makes the baseline anew.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FLOOR, US } from './contenders.mjs';
import { medianOf, ratioTo, show } from './results.mjs';
import { main } from './run.mjs';

const BASELINE = new URL('./baseline.json', import.meta.url);
const CHECK_RESULTS = fileURLToPath(new URL('./results/check.json', import.meta.url));
/** A ratio may be this many times worse than the baseline's, because shared machines differ by a third from run to run. */
const MARGIN = 1.75;
const ROUNDS = '3';

/** @typedef {import('./results.mjs').Results} Results */
/** @typedef {{ name: string, better: 'lower' | 'higher', value: (results: Results) => number | undefined }} Ratio */

/** Our figure divided by the floor's. @param {string} name @param {string} key @param {'lower' | 'higher'} better @returns {Ratio} */
const perFloor = (name, key, better) => ({
  name: `${name} ${key} / floor`,
  better,
  value: (results) => ratioTo(results, name, key, FLOOR),
});

/** Our rate in events per bare TCP round trip. @param {string} name @returns {Ratio} */
const perRoundTrip = (name) => ({
  name: `${name} per TCP round trip`,
  better: 'higher',
  value: (results) => {
    const rate = medianOf(results, name, 'per_second', US);
    const roundTrip = medianOf(results, 'round-trip', 'p50_ms', FLOOR);
    return rate === undefined || roundTrip === undefined ? undefined : (rate * roundTrip) / 1000;
  },
});

/** @type {Ratio[]} */
const RATIOS = [
  perFloor('start', 'ready_ms', 'lower'),
  perFloor('memory', 'pss_mb', 'lower'),
  perFloor('round-trip', 'p50_ms', 'lower'),
  perRoundTrip('pipelined'),
  perRoundTrip('connections'),
  perFloor('true-pipes', 'p50_ms', 'lower'),
  perFloor('true-16', 'per_second', 'higher'),
  perFloor('pipe-stream', 'mb_per_second', 'higher'),
  perFloor('pty-stream', 'mb_per_second', 'higher'),
  perFloor('stdin', 'mb_per_second', 'higher'),
  perFloor('echo', 'p50_ms', 'lower'),
];
const CASES = 'start,memory,round-trip,pipelined,connections,true-pipes,true-16,pipe-stream,pty-stream,stdin,echo';

/** @param {Record<string, number | undefined>} measured @returns {number} how many ratios are worse than the margin allows. */
function compare(measured) {
  /** @type {Record<string, number>} */
  const baseline = JSON.parse(readFileSync(BASELINE, 'utf8')).ratios;
  let worse = 0;
  for (const { name, better } of RATIOS) {
    const now = measured[name];
    const before = baseline[name];
    if (now === undefined || before === undefined) {
      process.stdout.write(`not compared  ${name}\n`);
      continue;
    }
    const change = better === 'lower' ? now / before : before / now;
    const verdict = change > MARGIN ? 'WORSE' : 'ok';
    if (change > MARGIN) worse++;
    process.stdout.write(`${verdict.padEnd(5)}  ${name}: ${show(now)}, baseline ${show(before)}\n`);
  }
  return worse;
}

try {
  const rest = process.argv.slice(2);
  const write = rest.includes('--write');
  if (!write && !existsSync(BASELINE)) throw new Error('bench/baseline.json is missing: make it with --write');
  const results = await main([
    '--quick',
    '--rounds',
    ROUNDS,
    '--only',
    CASES,
    // Not the file of a whole run, from which the page is made.
    '--json',
    CHECK_RESULTS,
    ...rest.filter((arg) => arg !== '--write'),
  ]);
  if (!results) process.exit(0);
  if (!results.contenders.some(({ kind }) => kind === 'us')) throw new Error('build execwire first: npm run build');
  const measured = Object.fromEntries(RATIOS.map(({ name, value }) => [name, value(results)]));
  if (write) {
    const ratios = Object.fromEntries(
      Object.entries(measured).map(([name, value]) => [name, value && Number(value.toPrecision(3))]),
    );
    const { date, machine } = results;
    writeFileSync(BASELINE, `${JSON.stringify({ date, cores: machine.cores, node: machine.node, ratios }, null, 2)}\n`);
    process.stdout.write('\nwrote bench/baseline.json\n');
    process.exit(0);
  }
  process.stdout.write(`\nagainst bench/baseline.json, up to ${MARGIN} times worse is let pass:\n`);
  process.exit(compare(measured) > 0 ? 1 : 0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(2);
}
