/** What is needed of the platform's `AbortSignal`, so that the package's types stand without those of Node or of a browser; and waiting with one. */

/**
 * What is needed of an `AbortSignal`; those of browsers and of Node fit.
 *
 * @example
 * import type { AbortSignalLike } from 'execwire-client';
 * const signal: AbortSignalLike = AbortSignal.timeout(50);
 * const { cause } = await box.exec(['sleep', '60'], { signal, reject: false });
 * console.log(cause); // terminated
 */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** Waits for a promise, or rejects with the signal's reason as soon as it aborts. Leaves no listener behind, however often one signal is waited with. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignalLike): Promise<T> {
  let giveUp = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    giveUp = () => reject(signal.reason);
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
