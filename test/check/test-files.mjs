// Lists the test files, those that take longest first. Knows nothing of how they are run.
import { readdirSync } from 'node:fs';

/**
 * The files that take longest, the longest first. A long file that starts last runs alone at the end, when the other jobs have nothing left to do. One that
 * is missing here costs time and nothing else.
 */
const LONGEST = [
  'test/process/sandbox/table.test.ts',
  'test/process/sandbox/attacks.test.ts',
  'test/cli/exec.test.ts',
  'test/cli/terminal.test.ts',
  'test/process/escapes.test.ts',
  'test/cli/detached.test.ts',
  'test/stress/soak.test.ts',
  'test/stress/attach.test.ts',
  'test/guide/guide.test.ts',
  'test/client/real-server.test.ts',
];

/** @returns {string[]} paths below the project's folder, in the order in which they are to be started */
export function testFiles() {
  const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `test/${name}`)
    .sort();
  const rank = (/** @type {string} */ file) => (LONGEST.includes(file) ? LONGEST.indexOf(file) : LONGEST.length);
  return files.sort((one, other) => rank(one) - rank(other));
}
