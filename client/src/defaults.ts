/** The defaults of every option, and how options become what is sent. Knows no behaviour. */
import type { CaptureBounds } from './capture.js';
import type { DetachablePlan } from './command-plan.js';
import type { DetachableOptions, HeadAndTail } from './options.js';

/** Milliseconds to open a connection: as long as most programs wait for a server. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** Milliseconds to wait for an answer. Only the end of a command takes longer. */
export const REQUEST_TIMEOUT_MS = 30_000;
/** Milliseconds for the server to answer a Close: a server that stands still must not hold up the program. */
export const CLOSE_TIMEOUT_MS = 2_000;
/** Milliseconds of trying to connect again: as long as the server keeps a command by default. */
export const RECONNECT_MAX_MS = 60_000;
/** Milliseconds between signs of life: below the 30 s at which the strictest balancers cut. */
export const HEARTBEAT_MS = 15_000;
/** Milliseconds from SIGTERM to SIGKILL, as execa has it. */
export const FORCE_KILL_AFTER_MS = 5_000;
/** Most of them, an hour: the server's bound of `graceMs`. */
export const LONGEST_FORCE_KILL_AFTER_MS = 3_600_000;
/** Bytes kept of each stream, as execa has it. */
export const MAX_BUFFER_BYTES = 100_000_000;
/** Bytes per stream under way. The server keeps at least as many for the next attachment, so a break loses no byte. */
export const WINDOW_BYTES = 1024 * 1024;
/** What is kept of a terminal's output for readers that begin late. */
const TERMINAL_BUFFER: HeadAndTail = { head: 64 * 1024, tail: 1024 * 1024 };

/** What is kept of the output. */
export function captureBounds(maxBuffer: number | HeadAndTail | undefined, isTerminal: boolean): CaptureBounds {
  const bounds = maxBuffer ?? (isTerminal ? TERMINAL_BUFFER : MAX_BUFFER_BYTES);
  const { head = 0, tail = 0 } = typeof bounds === 'number' ? { head: bounds } : bounds;
  return { head, tail };
}

/** Milliseconds from SIGTERM to SIGKILL, as the server takes them. */
export function forceKillAfterMs(wanted = FORCE_KILL_AFTER_MS): number {
  return Math.ceil(Math.min(wanted, LONGEST_FORCE_KILL_AFTER_MS));
}

/** How a command outlives its connections, as it is sent; undefined for one that does not. */
export function detachableParams(wanted: boolean | DetachableOptions): DetachablePlan | undefined {
  if (wanted === false) return undefined;
  const { key, ttl: ttlMs, replayBytes, whenFull = 'pause' }: DetachableOptions = Object(wanted);
  return { key, ttlMs, replayBytes, whenFull };
}

/** Most bytes per stream under way. Never more than the server keeps for the next attachment. */
export function windowBytes(window = WINDOW_BYTES, detachable?: boolean | DetachableOptions): number {
  const { replayBytes = window }: DetachableOptions = Object(detachable);
  return Math.max(1, Math.min(window, replayBytes));
}
