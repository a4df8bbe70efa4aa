/**
 * Turns the passing of time into an event that a test can wait for: another server closes a connection that does not initialize in time. Knows nothing of
 * the server under test.
 */
import type { Test } from 'tap';
import { startServer } from './server.js';

/** Milliseconds that pass at least. */
export const PASSING_MS = 2000;

/** @returns a function that resolves after at least {@link PASSING_MS} milliseconds, and later on a busy machine */
export async function passingTime(t: Test): Promise<() => Promise<void>> {
  const clock = await startServer(t, { flags: ['--initialize-timeout', `${PASSING_MS}ms`], warm: false });
  return async () => {
    const client = await clock.wire();
    await client.closed;
  };
}
