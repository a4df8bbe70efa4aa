// Runs test files and prints TAP, one subtest a file: `node test/check/run-tests.mjs [--jobs N] [--timeout SECONDS] [FILES AND FOLDERS]`.
//
// A file is a process that has nothing from here but its limit. The runner of tap would hook its loaders into each of these processes, and into
// every Node that a test starts, which took a third of the processor time of all tests. Knows no test.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chdir } from 'node:process';
import { parseArgs } from 'node:util';
import { builtTests, testFiles } from './built-tests.mjs';

/** Milliseconds that a file may take beyond its own limit, at which it says what it waits for. */
const GRACE_MS = 30_000;
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

chdir(new URL('../..', import.meta.url).pathname);
const { tap } = JSON.parse(readFileSync('package.json', 'utf8'));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: { type: 'string', default: String(tap.jobs) },
    timeout: { type: 'string', default: String(tap.timeout) },
  },
});
const limitMs = Number(values.timeout) * 1000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
for (const [signal, code] of Object.entries(SIGNALS)) {
  process.once(signal, () => {
    for (const child of running) child.kill(signal);
    process.exit(code);
  });
}

/** Kills a child that overruns its limit. The child says by a message when it sets itself another one. */
function killLate(child) {
  let timer;
  const set = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(() => child.kill('SIGKILL'), ms + GRACE_MS);
  };
  set(limitMs);
  child.on('message', ({ setTimeout: ms }) => set(ms));
  child.once('exit', () => clearTimeout(timer));
}

/** Runs a file to its end. @returns {Promise<{output: string, ended: string, ms: number}>} `ended` is `0` when its process ended well */
function run(bundle) {
  const startedAtMs = performance.now();
  const child = spawn(process.execPath, ['--enable-source-maps', bundle], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: { ...process.env, TAP_TIMEOUT: values.timeout },
  });
  running.add(child);
  killLate(child);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => running.delete(child));
    child.once('close', (code, signal) =>
      resolve({ output, ended: String(signal ?? code), ms: performance.now() - startedAtMs }),
    );
  });
}

/** What the last lines of a file say: how many tests it has, and why it was skipped as a whole. */
function planOf(lines) {
  const plan = lines.map((line) => /^1\.\.(\d+)(?: # SKIP\S* *(.*))?$/i.exec(line)).find((match) => match !== null);
  return { tests: Number(plan?.[1] ?? -1), skipReason: plan?.[2] };
}

let count = 0;
let hasFailed = false;
/** Prints a file as a subtest. */
function print(file, { output, ended, ms }) {
  const lines = output.split('\n').filter((line) => line !== '');
  const { tests, skipReason } = planOf(lines);
  const ran = lines.filter((line) => /^(not )?ok\b/.test(line)).length;
  const ok = ended === '0' && tests === ran;
  hasFailed ||= !ok;
  count += 1;
  const directive = skipReason === undefined ? '' : ` # SKIP ${skipReason}`;
  console.log(`# Subtest: ${file}`);
  for (const line of lines) console.log(`    ${line}`);
  console.log(`${ok ? 'ok' : 'not ok'} ${count} - ${file}${directive} # time=${ms.toFixed(3)}ms`);
  if (!ok && !lines.some((line) => line.startsWith('not ok'))) {
    console.error(`${file} ended with ${ended} after ${ran} tests, and not after all`);
  }
}

const waiting = [...(await builtTests(testFiles(positionals)))];
console.log('TAP version 14');
console.log(`1..${waiting.length}`);
const lane = async () => {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) print(next[0], await run(next[1]));
};
await Promise.all(Array.from({ length: Number(values.jobs) }, lane));
process.exit(hasFailed ? 1 : 0);
