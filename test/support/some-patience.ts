/**
 * Repeats an attempt with servers of more and more patience. A busy machine may let a test wait for a core longer than an impatient server waits for the
 * test, and that server then rightly cuts its connections. Knows no limit of a server.
 */
import type { Test } from 'tap';

/** Seconds that a server waits for its peers, in one attempt after the other. */
const PATIENCE_S = [2, 10, 60];

/**
 * Resolves when an attempt is good.
 * @param attempt throws when it is not good; gets the server's patience in seconds
 * @throws what the last attempt throws
 */
export async function withSomePatience(t: Test, attempt: (patienceS: number) => Promise<void>): Promise<void> {
  for (const patienceS of PATIENCE_S) {
    try {
      await attempt(patienceS);
      t.pass(`with ${patienceS} s`);
      return;
    } catch (error) {
      if (patienceS === PATIENCE_S.at(-1)) throw error;
      t.comment(`not with ${patienceS} s: ${error}`);
    }
  }
}
