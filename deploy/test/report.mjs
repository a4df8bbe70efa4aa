// Owns the counting and printing of checks. Knows nothing of what is checked.

// A reader that leaves (`| head`) must not end the run before it has cleaned up.
process.stdout.on('error', () => {});

const failures = [];
const startedAt = performance.now();

/** Prints a heading with the seconds since the start. */
export function step(title) {
  console.log(`\n== ${title} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
}

/**
 * Prints one check and remembers it when it failed.
 * @param {string} name what must hold
 * @param {boolean} ok
 * @param {string | number} [detail] what was seen
 */
export function check(name, ok, detail = '') {
  console.log(`  ${ok ? 'ok  ' : 'FAIL'} ${name}${detail === '' ? '' : `: ${detail}`}`);
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
