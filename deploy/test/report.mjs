// Owns the counting and printing of checks. Knows nothing of what is checked.
import { AsyncLocalStorage } from 'node:async_hooks';

// A reader that leaves (`| head`) must not end the run before it has cleaned up.
process.stdout.on('error', () => {});

const failures = [];
const startedAt = performance.now();

/** Lines of work that goes on beside other work, until its turn comes. */
const heldBack = new AsyncLocalStorage();

/** Prints a line, or keeps it while {@link beside} holds it back. @param {string} line */
export function say(line) {
  const lines = heldBack.getStore();
  if (lines === undefined) console.log(line);
  else lines.push(line);
}

/**
 * Starts work whose lines would be mixed with those of other work, and keeps them.
 * @param {() => Promise<void>} work
 * @returns {() => Promise<void>} prints the lines when the work has ended, and then rejects if the work did
 */
export function beside(work) {
  const lines = [];
  const ended = heldBack.run(lines, work).then(
    () => undefined,
    (error) => ({ error }),
  );
  return async () => {
    const failure = await ended;
    for (const line of lines) console.log(line);
    if (failure !== undefined) throw failure.error;
  };
}

/** Prints a heading with the seconds since the start. */
export function step(title) {
  say(`\n== ${title} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
}

/**
 * Prints one check and remembers it when it failed.
 * @param {string} name what must hold
 * @param {boolean} ok
 * @param {string | number} [detail] what was seen
 */
export function check(name, ok, detail = '') {
  say(`  ${ok ? 'ok  ' : 'FAIL'} ${name}${detail === '' ? '' : `: ${detail}`}`);
  if (!ok) failures.push(name);
}

/**
 * Shows that a check can fail: passes when `problems` is not empty.
 * @param {string} name the fault that was put in
 * @param {string[]} problems what the checks said about it
 */
export function checkCaught(name, problems) {
  check(`caught: ${name}`, problems.length > 0, problems[0] ?? 'nothing noticed it');
}

/** @returns {readonly string[]} names of the failed checks */
export const failedChecks = () => failures;
