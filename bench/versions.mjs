// Measures this build beside an earlier commit of execwire, round by round in turn, and says for each figure whether it has changed.
// Checks the earlier commit out and builds it in a temporary folder. Knows no case and no page but its own section.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { US } from './contenders.mjs';
import { show } from './results.mjs';
import { main } from './run.mjs';
import { medianInterval } from './statistics.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SECTION = fileURLToPath(new URL('./versions.md', import.meta.url));
const RESULTS = fileURLToPath(new URL('./results/versions.json', import.meta.url));
const BEFORE = 'before';
/** The first build of 0.1.0, of 2026-11-22. CHANGELOG.md says what the name means. */
const DEFAULT_REVISION = '0b7a01a';
const DEFAULT_NAME = 'the first build of 0.1.0';
/** With fewer rounds even the whole range holds the median less than 95 times of 100. */
const FEWEST_ROUNDS = 6;
/** Fewer rounds give no 95 % interval worth reading on a shared machine. */
const DEFAULT_ROUNDS = '15';
const DEFAULT_CASES =
  'start,memory,round-trip,pipelined,true-pipes,true-pty,true-16,pipe-stream,pty-stream,stdin,echo,connections';
const USAGE = `Usage: node bench/versions.mjs [options]
  --revision REV      the earlier commit (default ${DEFAULT_REVISION}, ${DEFAULT_NAME})
  --before COMMAND    a server that is built already, {port} in its command; no commit is checked out then
  --rounds N          rounds, each with both servers in turn (default ${DEFAULT_ROUNDS})
  --only CASE,CASE    only these cases (default ${DEFAULT_CASES})
  --page              write bench/versions.md, which bench/report.mjs puts on the page`;

/** Builds a commit in a folder of its own. @param {string} folder @param {string} revision @returns {string} the command that starts it */
function buildRevision(folder, revision) {
  const run = (/** @type {string} */ file, /** @type {string[]} */ args, cwd = folder) =>
    execFileSync(file, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  run('git', ['worktree', 'add', '--detach', '--force', folder, revision], ROOT);
  run('npm', ['ci', '--no-audit', '--no-fund']);
  run('npm', ['run', 'build']);
  return `'${process.execPath}' '${path.join(folder, 'dist/execwire.cjs')}' serve --listen ws://127.0.0.1:{port}`;
}

/**
 * One row for each figure that both servers have.
 * @param {import('./results.mjs').Results} results
 * @returns {{ title: string, before: number, now: number, low: number, high: number, ratio: number, verdict: string }[]}
 */
function compare(results) {
  return results.cases.flatMap((each) =>
    each.metrics.flatMap(({ title, unit, better, series }) => {
      const before = series[BEFORE];
      const now = series[US];
      if (!before || !now || before.rounds.length !== now.rounds.length) return [];
      // A figure that can be 0 or below, such as growth, has no ratio.
      if (before.rounds.some((value) => value <= 0)) return [];
      const ratios = now.rounds.map((value, round) => value / before.rounds[round]);
      const { median, low, high } = medianInterval(ratios);
      const isWorse = better === 'lower' ? low > 1 : high < 1;
      const isBetter = better === 'lower' ? high < 1 : low > 1;
      const isKnown = ratios.length >= FEWEST_ROUNDS;
      const verdict = isKnown ? (isWorse ? '**worse**' : isBetter ? 'better' : 'the same') : 'too few rounds';
      const name = `${each.title}: ${title}, ${unit}`;
      return [{ title: name, before: before.median, now: now.median, low, high, ratio: median, verdict }];
    }),
  );
}

/** @param {import('./results.mjs').Results} results @param {string} earlier @returns {string} */
function section(results, earlier) {
  const rows = compare(results).map(
    ({ title, before, now, ratio, low, high, verdict }) =>
      `| ${title} | ${show(before)} | ${show(now)} | ${show(ratio)} (${show(low)} to ${show(high)}) | ${verdict} |`,
  );
  return `## Beside ${earlier}

${results.date}; ${results.run.rounds} rounds in turn, small sizes, Node ${results.machine.node}: \`node bench/versions.mjs --page\`. The ratio is the median of the
rounds' ratios of now to before, with the 95 % interval of that median behind it. "The same" means that the interval holds 1.

| | before | now | now / before | |
| --- | --: | --: | --: | --- |
${rows.join('\n')}
`;
}

/** @param {string[]} argv */
async function run(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      revision: { type: 'string', default: DEFAULT_REVISION },
      before: { type: 'string' },
      rounds: { type: 'string', default: DEFAULT_ROUNDS },
      only: { type: 'string', default: DEFAULT_CASES },
      page: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const folder = values.before === undefined ? mkdtempSync(path.join(tmpdir(), 'execwire-before-')) : undefined;
  const removeFolder = () => {
    if (folder === undefined) return;
    rmSync(folder, { recursive: true, force: true });
    execFileSync('git', ['worktree', 'prune'], { cwd: ROOT });
  };
  process.once('exit', removeFolder);
  const before = values.before ?? buildRevision(/** @type {string} */ (folder), values.revision);
  const quickArgs = ['--quick', '--rounds', values.rounds, '--only', values.only, '--json', RESULTS];
  const results = await main([...quickArgs, '--peer', `${BEFORE}=${before}`]);
  if (!results) return;
  const earlier = values.revision === DEFAULT_REVISION ? DEFAULT_NAME : values.revision;
  const text = section(results, earlier);
  process.stdout.write(`\n${text}`);
  if (values.page) writeFileSync(SECTION, text);
}

try {
  await run(process.argv.slice(2));
  // Sockets of servers that were killed may still be closing.
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(2);
}
