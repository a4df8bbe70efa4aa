// Runs the benchmark: every case, round by round, each server in turn on a fresh process; prints a table, writes JSON.

import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { measureCeiling } from './ceiling.mjs';
import { listContenders, takesPart } from './contenders.mjs';
import { Floors, removeFloors } from './floors.mjs';
import { parseOptions, USAGE } from './options.mjs';
import { openFilesLimit } from './proc.mjs';
import { writePage } from './report.mjs';
import { addRound, emptyCase } from './results.mjs';
import { killAllServers, ServerProcess } from './server-process.mjs';
import { within } from './statistics.mjs';
import { printTable, printTargets } from './table.mjs';

const DEFAULT_JSON = fileURLToPath(new URL('./results/latest.json', import.meta.url));
const DEFAULT_CASE_SECONDS = 30;

/** Progress goes to stderr, the table to stdout. @param {string} line */
function say(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * One round of one case with one contender.
 * @param {import('./case.mjs').Case} each @param {import('./contenders.mjs').Contender} contender
 * @param {{ floors: Floors | undefined, quick: boolean }} context
 * @returns {Promise<Record<string, number>>}
 */
async function runOnce(each, contender, { floors, quick }) {
  const limit = (each.maxSeconds ?? DEFAULT_CASE_SECONDS) * 1000;
  const { command } = contender;
  if (command === undefined) {
    const floor = floors && each.floorInC ? each.floorInC({ floors, quick }) : each.floor?.();
    return floor ? within(floor, limit, 'the floor') : {};
  }
  if (each.ownServers) {
    const none = /** @type {ServerProcess} */ (/** @type {unknown} */ (undefined));
    return within(each.run({ server: none, command, quick }), limit, 'the case').catch((error) => {
      killAllServers();
      throw error;
    });
  }
  const server = await ServerProcess.start(command);
  try {
    return await within(each.run({ server, command, quick }), limit, 'the case');
  } finally {
    await server.stop();
  }
}

/** @param {import('./options.mjs').Options} options @returns {Promise<import('./results.mjs').Results>} */
async function runAll(options) {
  const started = performance.now();
  const contenders = listContenders(options, say);
  const { floors, skipped } = await Floors.compile();
  if (skipped) say(`floors in C are skipped: ${skipped}`);
  say('self-check of the client');
  const ceiling = await measureCeiling();
  const results = new Map(options.cases.map((each) => [each, emptyCase(each)]));
  for (let round = 1; round <= options.rounds; round++) {
    for (const [each, result] of results) {
      if (round > (each.maxRounds ?? Number.POSITIVE_INFINITY)) continue;
      if ((each.openFiles ?? 0) > openFilesLimit()) {
        if (round === 1)
          result.skipped.push(`needs ${each.openFiles} open files, the limit is ${openFilesLimit()} (ulimit -n)`);
        continue;
      }
      if (skipped && each.floorInC && round === 1) result.skipped.push(`floor: ${skipped}`);
      // Every other round runs in reverse order, so that no contender always runs after the same neighbour.
      const order = contenders.filter((contender) => takesPart(contender, each));
      if (round % 2 === 0) order.reverse();
      for (const contender of order) {
        const begin = performance.now();
        let outcome = 'done';
        try {
          addRound(result, contender.name, await runOnce(each, contender, { floors, quick: options.quick }));
        } catch (error) {
          outcome = error instanceof Error ? error.message : String(error);
          result.errors.push({ contender: contender.name, round, message: outcome });
        }
        const seconds = ((performance.now() - begin) / 1000).toFixed(1);
        say(
          `round ${round}/${options.rounds}  ${each.name.padEnd(22)} ${contender.name.padEnd(20)} ${seconds} s  ${outcome}`,
        );
      }
    }
  }
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: {
      cpu: os.cpus()[0]?.model ?? 'unknown',
      cores: os.availableParallelism(),
      memoryGb: Math.round(os.totalmem() / 1e9),
      kernel: os.release(),
      node: process.version,
    },
    run: { rounds: options.rounds, quick: options.quick, seconds: Math.round((performance.now() - started) / 1000) },
    contenders,
    ceiling,
    cases: [...results.values()],
  };
}

/** @param {string[]} argv @returns {Promise<import('./results.mjs').Results | undefined>} */
export async function main(argv) {
  if (process.platform !== 'linux') throw new Error('the benchmark reads /proc: it runs on Linux only');
  const options = parseOptions(argv);
  if (options === 'help') {
    process.stdout.write(`${USAGE}\n`);
    return undefined;
  }
  process.once('exit', () => {
    killAllServers();
    removeFloors();
  });
  // A case that was given up goes on until its connections are closed, and then fails.
  process.on('unhandledRejection', (error) => say(`meanwhile: ${error}`));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130));
  const results = await runAll(options);
  const file = path.resolve(options.json ?? DEFAULT_JSON);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
  printTable(results);
  printTargets(results);
  say(`results are in ${path.relative(process.cwd(), file)}, the run took ${results.run.seconds} s`);
  if (options.page) say(`wrote ${path.relative(process.cwd(), writePage(results))}`);
  return results;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await main(process.argv.slice(2));
    // Sockets of servers that were killed may still be closing.
    process.exit(0);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    process.exit(2);
  }
}
