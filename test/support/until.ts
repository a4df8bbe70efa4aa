/** Waits for facts that no event tells. Knows nothing of what is waited for. */

/** Patience on a machine with everything else to do; what comes at all comes far earlier. */
const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 10;

/**
 * Looks again and again until a condition holds.
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
