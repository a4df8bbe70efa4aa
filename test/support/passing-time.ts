/** Time that passes outside of the server under test, as an event: another server loses its patience. Knows nothing of what has to outlast it. */
import type { Test } from 'tap';
import { startServer } from './server.js';

/** What {@link passingTime} returns lets this pass at least. */
export const PASSING_MS = 2000;

/** @returns a function that resolves after at least {@link PASSING_MS} milliseconds, and later on a busy machine */
export async function passingTime(t: Test): Promise<() => Promise<void>> {
  const clock = await startServer(t, { flags: ['--initialize-timeout', `${PASSING_MS}ms`], warm: false });
  return async () => {
    const client = await clock.wire();
    await client.closed;
  };
}
