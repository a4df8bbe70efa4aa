/** What the client needs from the program around it: sockets, base64, time and chance. Knows no protocol. */
import { type AbortSignalLike, orAborted } from './abort-signal.js';
import type { OpenTransport } from './transport.js';

/** Cancels what was scheduled; does nothing when it has already happened. */
export type Cancel = () => void;

/** Time, so that tests can move it. All values are milliseconds. */
export interface Clock {
  /** Grows steadily; only differences mean anything. */
  now(): number;
  /** Calls back once after a delay. */
  after(delayMs: number, callback: () => void): Cancel;
}

/** One of these for browsers, one for Node, one for tests. */
export interface Platform {
  readonly openTransport: OpenTransport;
  readonly encodeBase64: (bytes: Uint8Array) => string;
  readonly decodeBase64: (text: string) => Uint8Array;
  readonly clock: Clock;
  /** A number from 0 up to, and not including, 1. Spreads attempts in time. */
  readonly random: () => number;
  /** Refuses wrong options of a call on a command or a shell. Does nothing in browsers, where the table of options would take too much room. @throws {TypeError} */
  readonly checkOptions: (call: string, options: object) => void;
  /** Takes what the program's listeners throw. Never throws. */
  readonly reportError: (error: unknown) => void;
}

/** The longest delay of a timer, in milliseconds (24.8 days). A timer with a longer one fires at once. @see https://html.spec.whatwg.org/multipage/timers-and-user-prompts.html#timers */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The clock of the host. */
export const hostClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(delayMs, LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/** Resolves after a delay, or as soon as the signal aborts. Never rejects. */
export async function sleep(clock: Clock, delayMs: number, signal?: AbortSignalLike): Promise<void> {
  let cancel: Cancel = () => {};
  const slept = new Promise<void>((resolve) => {
    cancel = clock.after(delayMs, resolve);
  });
  await (signal === undefined ? slept : orAborted(slept, signal)).catch(cancel);
}
