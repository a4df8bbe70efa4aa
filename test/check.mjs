// The whole check, `npm test`. Prints a line for each step and each test file, its failures below it, and the total as the last line.
// Knows which steps there are, not how they work.
import { chdir } from 'node:process';
import { docProblems } from './check/doc-references.mjs';
import { packageProblems } from './check/package-contents.mjs';
import { runBin, runNode } from './check/run-tool.mjs';
import { newSeed } from './check/seed.mjs';
import { TapOutput } from './check/tap-output.mjs';

/** Lines of a failed tool's output that are shown: the last ones, because they say most. */
const SHOWN_LINES = 60;

chdir(new URL('..', import.meta.url).pathname);
process.env.TEST_SEED ??= newSeed();
const total = { passed: 0, failed: 0, skipped: 0 };

function print(ok, title, ms, details = []) {
  console.log(`${ok ? 'ok  ' : 'FAIL'}  ${title}  ${(ms / 1000).toFixed(1)} s`);
  for (const line of details) console.log(`      ${line}`);
}

/** Runs one step, which counts as one test. @param {() => string[] | Promise<string[]>} problemsOf */
async function step(title, problemsOf) {
  const startedAt = performance.now();
  let problems;
  try {
    problems = await problemsOf();
  } catch (error) {
    problems = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  }
  total[problems.length === 0 ? 'passed' : 'failed'] += 1;
  print(problems.length === 0, title, performance.now() - startedAt, problems);
}

function problemsOfTool({ code, stdout, stderr }) {
  if (code === 0) return [];
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '');
  return [...lines.slice(-SHOWN_LINES), `exit code ${code}`];
}

function onTestFile(file) {
  total.passed += file.passed;
  total.failed += file.failed;
  total.skipped += file.skipped.length;
  const skipped = file.skipped.map(({ name, reason }) => `skipped: ${name}: ${reason}`);
  print(file.failed === 0, `${file.name} (${file.passed} passed)`, file.ms, [...file.details, ...skipped]);
}

/** Runs the given test files, or all. A run that fails without a failed test counts as one failed test. */
async function tests(files) {
  const failedBefore = total.failed;
  const countBefore = total.passed + total.failed + total.skipped;
  const tap = new TapOutput(onTestFile);
  const { code, stderr } = await runNode('test/check/run-tests.mjs', files, (line) => tap.push(line));
  const hasFailed = total.failed > failedBefore;
  const ranNothing = total.passed + total.failed + total.skipped === countBefore;
  if ((code !== 0 && !hasFailed) || ranNothing) {
    total.failed += 1;
    print(false, `tests (exit code ${code}, ${ranNothing ? 'no test ran' : 'no failed test reported'})`, 0);
  }
  if (code === 0 && !ranNothing) return;
  console.log('standard error of the tests, its end:');
  for (const line of stderr.split('\n').slice(-SHOWN_LINES)) console.log(`      ${line}`);
}

/** What needs nothing that is built. */
async function sourceSteps() {
  await step('types', async () => [
    ...problemsOfTool(await runBin('tsc', ['--noEmit'])),
    ...problemsOfTool(await runBin('tsc', ['--noEmit', '-p', 'web'])),
    ...problemsOfTool(await runBin('tsc', ['--noEmit', '-p', 'test/browser'])),
  ]);
  await step('format and lint', async () =>
    problemsOfTool(await runBin('biome', ['check', '--error-on-warnings', '.'])),
  );
}

/** The build, and what looks at it. */
async function builtSteps() {
  await step('build', async () => problemsOfTool(await runNode('build.mjs', [])));
  await step('generated pages', async () => problemsOfTool(await runNode('docs/generate.mjs', ['--check'])));
  await step('what the pages name', docProblems);
  await step('package contents', packageProblems);
  await step('size of the client', async () => problemsOfTool(await runBin('size-limit', [])));
  await step('package of the client', async () => [
    ...problemsOfTool(await runBin('publint', ['client', '--strict'])),
    ...problemsOfTool(await runBin('attw', ['--pack', 'client', '--profile', 'esm-only'])),
  ]);
  await step('pages of the client', async () =>
    problemsOfTool(await runBin('typedoc', ['--options', 'client/typedoc.json', '--emit', 'none', '--disableSources'])),
  );
  await step('the packages in an empty project', async () =>
    problemsOfTool(await runNode('test/install/run.mjs', ['--short'])),
  );
  await step('types of the client', async () => problemsOfTool(await runBin('tsd', ['client'])));
}

console.log(`seed ${process.env.TEST_SEED} (TEST_SEED=${process.env.TEST_SEED} repeats what is random)`);
const files = process.argv.slice(2);
// One beside the other, because most of these tools use one core.
if (files.length === 0) await Promise.all([sourceSteps(), builtSteps()]);
await tests(files);

const skipped = total.skipped === 0 ? '' : `, ${total.skipped} skipped`;
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed === 0 ? 0 : 1;
