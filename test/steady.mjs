// Shows that no test depends on the speed of the machine: `node test/steady.mjs [--runs N] [FILES]` runs all test files, or the given ones, ten times
// beside four busy loops. Prints a line for each run, and its failures with the seed that repeats them. The last line is `10 of 10` when all is well.
// Takes up to two hours. Knows no test.
import { spawn } from 'node:child_process';
import { chdir } from 'node:process';
import { parseArgs } from 'node:util';
import { runNode, toolEnvironment } from './check/run-tool.mjs';
import { newSeed } from './check/seed.mjs';
import { TapOutput } from './check/tap-output.mjs';

const RUNS = 10;
/** Twice as many as the machines that this is run on have cores. */
const BUSY_LOOPS = 4;
/** Test files at a time, three times as many as in `npm test`, because beside the loops a file mostly waits for a core. */
const JOBS = 9;
/** Milliseconds for all runs together. Runs that are not done by then have failed. */
const LIMIT_MS = 2 * 60 * 60 * 1000;
/** Seconds that a test may take, because each gets only a part of the machine. */
const TEST_LIMIT_S = 600;
/** Lines of a failed file that are shown. */
const SHOWN_LINES = 40;

chdir(new URL('..', import.meta.url).pathname);
const { values, positionals: files } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: String(RUNS) } },
});
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs is ${values.runs}; give it a whole number above 0`);

/**
 * Starts a program beside the busy loops, all in one new session. Linux shares the cores among sessions before it shares them among the processes of one
 * (autogroups), so loops in sessions of their own would leave a fifth of the machine to all test files together.
 */
function startBesideLoops(program, args, options) {
  const loops = `for loop in $(seq ${BUSY_LOOPS}); do "$NODE" -e 'for(;;);' </dev/null >/dev/null 2>&1 & done; exec "$@"`;
  const env = { ...options.env, NODE: process.execPath };
  return spawn('sh', ['-c', loops, 'sh', program, ...args], { ...options, env, detached: true });
}

/** Ends the program, what it left, and the busy loops. */
function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

/** The run that goes on now. */
let current;
process.once('exit', () => {
  if (current !== undefined) endGroup(current);
});
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
]) {
  process.once(signal, () => process.exit(code));
}

/** Runs the test files once. @returns {Promise<string[]>} what failed, a line each, and its details */
function run(seed) {
  return new Promise((resolve) => {
    const failures = [];
    let ran = 0;
    const output = new TapOutput(({ name, passed, failed, details }) => {
      ran += passed + failed;
      if (failed > 0)
        failures.push(`${name}: ${failed} failed`, ...details.slice(0, SHOWN_LINES).map((line) => `  ${line}`));
    });
    const child = startBesideLoops(
      process.execPath,
      ['test/check/run-tests.mjs', `--jobs=${JOBS}`, `--timeout=${TEST_LIMIT_S}`, ...files],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
        env: { ...toolEnvironment(), TEST_SEED: seed },
      },
    );
    current = child.pid;
    let unfinished = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      const lines = `${unfinished}${text}`.split('\n');
      unfinished = lines.pop() ?? '';
      for (const line of lines) output.push(line);
    });
    child.once('exit', () => {
      endGroup(child.pid);
      current = undefined;
    });
    // AFTER the exit, when all of the output has been read.
    child.once('close', (code, signal) => {
      if (code !== 0 && failures.length === 0) failures.push(`the tests ended with ${signal ?? code}`);
      if (ran === 0) failures.push('no test ran');
      resolve(failures);
    });
  });
}

const built = await runNode('build.mjs', []);
if (built.code !== 0) throw new Error(`the build failed:\n${built.stderr}`);

let good = 0;
const limit = setTimeout(() => {
  console.log('two hours are over');
  if (current !== undefined) endGroup(current);
}, LIMIT_MS);
const startedAtMs = performance.now();
for (let count = 1; count <= runs && performance.now() - startedAtMs < LIMIT_MS; count += 1) {
  const seed = newSeed();
  const runStartedAtMs = performance.now();
  const failures = await run(seed);
  const seconds = Math.round((performance.now() - runStartedAtMs) / 1000);
  if (failures.length === 0) good += 1;
  console.log(`run ${count}: ${failures.length === 0 ? 'ok' : 'FAILED'}, ${seconds} s, seed ${seed}`);
  for (const line of failures) console.log(`  ${line}`);
  if (failures.length > 0) console.log(`  repeat with TEST_SEED=${seed} node test/check.mjs FILE`);
}
clearTimeout(limit);
console.log(`${good} of ${runs}`);
process.exit(good === runs ? 0 : 1);
