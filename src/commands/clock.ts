/** Time as the commands see it: monotonic, and replaced by a fake clock in tests. Knows nothing of what is timed. */

/** A timer that was set; calling it cancels the timer. */
export type CancelTimer = () => void;

export interface Clock {
  /** Monotonic milliseconds; jumps of the machine's clock do not affect them. */
  nowMs(): number;
  /** Calls back once after so many milliseconds, of any number. */
  after(delayMs: number, callback: () => void): CancelTimer;
}

/** Node's timers hold 31 bits of milliseconds; a longer delay would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function after(delayMs: number, callback: () => void): CancelTimer {
  let timer: NodeJS.Timeout;
  const set = (remainingMs: number): void => {
    const step = Math.min(remainingMs, LONGEST_TIMER_MS);
    timer = setTimeout(() => (remainingMs > step ? set(remainingMs - step) : callback()), step);
  };
  set(delayMs);
  return () => clearTimeout(timer);
}

/** The real clock. */
export const systemClock: Clock = { nowMs: () => performance.now(), after };
