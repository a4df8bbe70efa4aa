/** Waits for conditions that no event reports. Knows no condition. */

/** Patience for a very busy machine; normally the wait is far shorter. */
const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 10;

/**
 * Checks again and again until a condition holds.
 * @param patienceMs default 60,000
 * @throws {Error} naming what did not come about
 */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${patienceMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
