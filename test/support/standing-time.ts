/** Node's timers and its monotonic clock, controlled by a test. Knows nothing of what is timed. */
import type { Test } from 'tap';

interface Timer {
  readonly callback: () => void;
  readonly everyMs: number | undefined;
  atMs: number;
  unref(): Timer;
}

/** Time that passes only when told to. */
export interface StandingTime {
  /** Timers that are set. */
  readonly pending: number;
  /** Lets time pass; every timer fires when it is due. */
  pass(ms: number): void;
  /** Lets time pass while the process does not run: due timers fire late, once, at the end. */
  standStill(ms: number): void;
}

/** Replaces the timers of a test. */
export function standingTime(t: Test): StandingTime {
  let nowMs = 1_000_000;
  const timers = new Set<Timer>();
  const set = (callback: () => void, ms: number, everyMs?: number): Timer => {
    const timer: Timer = { callback, everyMs, atMs: nowMs + ms, unref: () => timer };
    timers.add(timer);
    return timer;
  };
  const clear = (timer: Timer | undefined): void => {
    if (timer !== undefined) timers.delete(timer);
  };
  t.intercept(performance, 'now', { value: () => nowMs });
  t.intercept(globalThis, 'setTimeout', { value: (callback: () => void, ms: number) => set(callback, ms) });
  t.intercept(globalThis, 'setInterval', { value: (callback: () => void, ms: number) => set(callback, ms, ms) });
  for (const name of ['clearTimeout', 'clearInterval'] as const) t.intercept(globalThis, name, { value: clear });

  const fire = (timer: Timer): void => {
    if (timer.everyMs === undefined) timers.delete(timer);
    else timer.atMs = nowMs + timer.everyMs;
    timer.callback();
  };
  const next = (byMs: number): Timer | undefined =>
    [...timers].filter(({ atMs }) => atMs <= byMs).sort((a, b) => a.atMs - b.atMs)[0];
  return {
    get pending() {
      return timers.size;
    },
    pass(ms) {
      const untilMs = nowMs + ms;
      for (let timer = next(untilMs); timer !== undefined; timer = next(untilMs)) {
        nowMs = timer.atMs;
        fire(timer);
      }
      nowMs = untilMs;
    },
    standStill(ms) {
      nowMs += ms;
      for (const timer of [...timers].filter(({ atMs }) => atMs <= nowMs)) if (timers.has(timer)) fire(timer);
    },
  };
}
