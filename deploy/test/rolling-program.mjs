// Runs a rolling restart of plain replicas as a program: skips it where something is missing, cleans up on every way out, and says how it ended.
// Knows nothing of what is restarted.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cleanUp, cleanUpOnSignals } from './cleanup.mjs';
import { failedChecks } from './report.mjs';
import { findProgram } from './requirements.mjs';

const SERVER = join(resolve(import.meta.dirname, '../..'), 'dist/execwire.cjs');

/**
 * @param {string} title what is skipped where something is missing
 * @param {string} balancer its program, which is also the name of its Debian package
 * @param {() => Promise<void>} main
 */
export async function runProgram(title, balancer, main) {
  const missing = [
    ...(findProgram(balancer) === undefined ? [`${balancer} (Debian: apt-get install ${balancer})`] : []),
    ...(existsSync(SERVER) ? [] : ['dist/execwire.cjs (npm run build)']),
  ];
  if (missing.length > 0) {
    console.log(`SKIPPED: ${title} needs ${missing.join(' and ')}`);
    return;
  }
  cleanUpOnSignals();
  try {
    await main();
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    await cleanUp();
  }
  if (failedChecks().length > 0) process.exitCode = 1;
  console.log(process.exitCode ? `\nFAILED: ${failedChecks().join('; ')}` : '\nPASSED');
}
