// Prints results as plain text tables.

import { US } from './contenders.mjs';
import { show } from './results.mjs';
import { judge } from './targets.mjs';

/** @typedef {import('./results.mjs').Results} Results */

/** @param {string} line */
function print(line) {
  process.stdout.write(`${line}\n`);
}

/** @param {string[][]} rows */
function printRows(rows) {
  const widths = rows[0].map((_cell, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    print(row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]) : cell.padStart(widths[n]))).join('  '));
  }
}

/** Medians, spread, and ours divided by each other's. @param {Results} results */
export function printTable(results) {
  const names = results.contenders.map(({ name }) => name);
  const others = names.includes(US) ? names.filter((name) => name !== US) : [];
  const rows = [['case', 'unit', ...names, ...others.map((name) => `us/${name}`)]];
  for (const { metrics } of results.cases) {
    for (const { title, unit, series } of metrics) {
      if (Object.keys(series).length === 0) continue;
      const cells = names.map((name) => {
        const found = series[name];
        return found ? `${show(found.median)} (${show(found.min)}..${show(found.max)})` : '-';
      });
      const ours = series[US]?.median;
      const ratios = others.map((name) => {
        const theirs = series[name]?.median;
        return ours === undefined || !theirs ? '-' : show(ours / theirs);
      });
      rows.push([title, unit, ...cells, ...ratios]);
    }
  }
  print('');
  printRows(rows);
  const { largeFramesMbPerSecond, smallFramesMbPerSecond, requestsPerSecond } = results.ceiling;
  print(
    `\nceiling of the client: ${show(largeFramesMbPerSecond)} MB/s in deltas of 64 KiB, ` +
      `${show(smallFramesMbPerSecond)} MB/s in deltas of 4 KiB, ${show(requestsPerSecond)} requests/s`,
  );
  for (const { name, errors, skipped } of results.cases) {
    for (const { contender, round, message } of errors)
      print(`failed: ${name}, ${contender}, round ${round}: ${message}`);
    for (const reason of skipped) print(`skipped: ${name}: ${reason}`);
  }
}

/** @param {Results} results */
export function printTargets(results) {
  const verdicts = judge(results).filter(({ met }) => met !== undefined);
  if (verdicts.length === 0) return;
  print('');
  printRows([
    ['target', 'is', 'wanted', ''],
    ...verdicts.map(({ title, check, value, met }) => [
      `${title}: ${check.label}`,
      show(value),
      `${check.bound} ${show(check.limit)} ${check.unit}`,
      met ? 'met' : 'NOT MET',
    ]),
  ]);
}
