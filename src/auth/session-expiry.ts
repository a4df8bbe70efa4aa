// Owns the clock of a credential that ends while its connection is open. Does not know how a client is warned or cut off.

/** Called shortly before the end, and at the end. */
export interface ExpiryListener {
  /** The end is near. `leftMs`: milliseconds until then. Called once; at once if less than the warning time is left. */
  onExpiring(leftMs: number): void;
  /** The credential has expired. Called once. */
  onExpired(): void;
}

/** Milliseconds. How long before the end a client is warned: time enough to fetch a token and open the next connection. */
export const EXPIRY_WARNING_MS = 60_000;

/** Milliseconds. A longer timer would fire at once (Node counts in 31 bits), so a far end is waited for in steps. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Waits for the end of a credential.
 * @param expiresAtMs Milliseconds since the epoch.
 * @returns A function that stops waiting, to be called when the connection closes. Calling it twice does nothing more.
 */
export function watchSessionExpiry(expiresAtMs: number, listener: ExpiryListener): () => void {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  function waitUntil(atMs: number, then: () => void): void {
    if (stopped) return;
    const leftMs = atMs - Date.now();
    if (leftMs <= 0) {
      then();
      return;
    }
    timer = setTimeout(() => waitUntil(atMs, then), Math.min(leftMs, MAX_TIMER_MS));
    // The open connection keeps the process alive; this timer must not.
    timer.unref();
  }

  waitUntil(expiresAtMs - EXPIRY_WARNING_MS, () => {
    listener.onExpiring(Math.max(0, expiresAtMs - Date.now()));
    waitUntil(expiresAtMs, () => listener.onExpired());
  });
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
