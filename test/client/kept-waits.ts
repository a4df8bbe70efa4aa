/** Counts what waits for a promise, because it stays in memory until that promise settles. Knows no client. */
import { inspect } from 'node:util';
import type { Test } from 'tap';

/** @returns the most waits that one promise got while it was pending; `await` in the code itself is not counted */
export async function mostWaitsOfOnePromise(t: Test, action: () => Promise<void>): Promise<number> {
  const { then } = Promise.prototype;
  const waits = new WeakMap<Promise<unknown>, number>();
  let most = 0;
  const restore = t.intercept(Promise.prototype, 'then', {
    value(this: Promise<unknown>, ...listeners: Parameters<typeof then>) {
      if (inspect(this, { depth: 0 }).includes('<pending>')) {
        const count = (waits.get(this) ?? 0) + 1;
        waits.set(this, count);
        most = Math.max(most, count);
      }
      return then.apply(this, listeners);
    },
    configurable: true,
    writable: true,
  }).restore;
  try {
    await action();
  } finally {
    restore();
  }
  return most;
}
