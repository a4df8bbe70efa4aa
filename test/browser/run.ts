/**
 * `npm run test:browser`: the terminal of `--ui` in a real, headless Chromium. Arguments pick the cases whose titles contain them; `--update` takes the
 * pictures of the documentation again. The last line is the total. Knows no case.
 */
import { readdirSync } from 'node:fs';
import { type BrowserCase, BrowserTest, cases, Skipped } from './browser-test.js';
import { chromiumMissing } from './chromium.js';
import { Workplace } from './workplace.js';

/** Milliseconds of a case on a very busy machine. It is given up then, and its pages are closed. */
const PATIENCE_MS = 240_000;
/** Characters of a line that are shown. */
const SHOWN_CHARACTERS = 2000;

const total = { passed: 0, failed: 0, skipped: 0 };

function tell(title: string, startedAtMs: number, problems: readonly string[]): void {
  const isGood = problems.length === 0;
  total[isGood ? 'passed' : 'failed'] += 1;
  console.log(`${isGood ? 'ok  ' : 'FAIL'}  ${title}  ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`);
  for (const line of problems) console.log(`      ${line.slice(0, SHOWN_CHARACTERS).replaceAll('\n', '\n      ')}`);
}

/** Rejects after a while. */
async function givenUp(test: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not ended within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  try {
    await Promise.race([test, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function runCase({ title, body, runsBeside }: BrowserCase, workplace: Workplace): Promise<void> {
  const startedAtMs = performance.now();
  const t = new BrowserTest(workplace);
  const problems: string[] = [];
  let skipped: string | undefined;
  try {
    await (runsBeside ? body(t) : givenUp(body(t)));
  } catch (error) {
    if (error instanceof Skipped) skipped = error.message;
    else problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error), ...(await t.shown()));
  }
  problems.push(...(await t.end()));
  // Those of a case that runs beside the others are its own server's.
  if (!runsBeside) await workplace.killCommands();
  if (skipped !== undefined && problems.length === 0) {
    total.skipped += 1;
    console.log(`skip  ${title}: ${skipped}`);
  } else {
    tell(title, startedAtMs, problems);
  }
}

const missing = chromiumMissing();
if (missing !== undefined) {
  console.log(`SKIPPED: ${missing}\n0 passed, 0 failed`);
  process.exit(0);
}
const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
for (const name of readdirSync(import.meta.dirname).sort()) {
  if (name.endsWith('.browser.ts')) await import(`./${name}`);
}
const picked = cases.filter(({ title }) => words.every((word) => title.includes(word)));
const startedAtMs = performance.now();
const workplace = await Workplace.open();
console.log(`Chromium ${workplace.browser.version()}, ${picked.length} of ${cases.length} cases`);
try {
  const beside = picked.filter(({ runsBeside }) => runsBeside).map((each) => runCase(each, workplace));
  for (const each of picked.filter(({ runsBeside }) => !runsBeside)) await runCase(each, workplace);
  await Promise.all(beside);
} finally {
  tell('the server of all cases ends clean', performance.now(), await workplace.close());
}
console.log(
  `${((performance.now() - startedAtMs) / 1000).toFixed(0)} s${total.skipped === 0 ? '' : `, ${total.skipped} skipped`}`,
);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 && picked.length > 0 ? 0 : 1);
