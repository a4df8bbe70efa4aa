/**
 * What signals do: the first INT, TERM or HUP drains, a further INT or TERM ends everything at once. Two INT in a moment are one. An unexpected error
 * drains, too: the state it left is unknown, but running commands should still finish. Knows nothing of how to drain.
 *
 *     listening ──first signal, or unexpected error──► draining ──INT or TERM──► killed
 *
 * Handlers are set before the service exists, so that a signal during the start is not lost.
 */
import { constants } from 'node:os';
import { endServer } from './end-server.js';
import { say, writeToStderr } from './say.js';

/** What can be ended. */
export interface Endable {
  drain(): Promise<void>;
  /** Kills every command at once; resolves when none is left, which takes the kernel a moment. */
  killCommands(): Promise<void>;
  /** Tells the person at the terminal that the drain has begun. */
  sayDraining(): void;
  /** Logs an uncaught error. */
  logUnforeseen(error: unknown): void;
}

const SIGNAL_EXIT_BASE = 128;
/** Exit code after an unexpected error. */
const EXIT_FAILURE = 1;
/** Longest wait for killed processes to end, because the exit must come within a second. @see PROTOCOL "Drain" */
const KILL_TIMEOUT_MS = 700;
/**
 * An INT that comes again within this time is the same key: a terminal sends it to all programs in front of it, and npm passes its own on to the server.
 * Nobody presses a key twice in a quarter of a second to end what he has just asked to drain.
 */
const SAME_KEY_MS = 250;
/** Unexpected errors that are logged. An error at every tick of a timer must not fill the disk while the server drains. */
const MAX_LOGGED_ERRORS = 10;

/** The effect of this process's signals. */
export interface Signals {
  /** The exit code when nothing is left to do: 0, 1 after an unexpected error, 128+n once signal n has ended everything. */
  readonly exitCode: number;
  /** Names the service that signals, including earlier ones, act on. */
  endInOrder(service: Endable): void;
}

/** Handles the signals and the uncaught errors of this process. */
export function handleSignals(): Signals {
  let service: Endable | undefined;
  /** Exit code of the signal that ended everything at once. */
  let killedCode: number | undefined;
  let isSignalled = false;
  let keyAtMs = Number.NEGATIVE_INFINITY;
  let isDraining = false;
  let errors = 0;

  function drain(): void {
    isDraining = true;
    service?.drain().catch((error: unknown) => {
      say(`drain failed: ${String(error)}`);
      endServer(EXIT_FAILURE);
    });
  }

  function onSignal(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', forcing: boolean): void {
    const isFirst = !isSignalled;
    isSignalled = true;
    if (!isDraining) {
      service?.sayDraining();
      drain();
    } else if (forcing && !isFirst) {
      // The drain may be over before the killing; the process ends with this code in that case, too.
      const code = SIGNAL_EXIT_BASE + constants.signals[signal];
      killedCode ??= code;
      const exit = (): never => endServer(killedCode ?? code);
      setTimeout(exit, KILL_TIMEOUT_MS);
      if (service === undefined) exit();
      else service.killCommands().then(exit, exit);
    }
  }

  function onKey(): void {
    const nowMs = performance.now();
    const isSame = nowMs - keyAtMs < SAME_KEY_MS;
    keyAtMs = nowMs;
    if (!isSame) onSignal('SIGINT', true);
  }

  /** Unhandled rejections come here, too. */
  function onUnforeseen(error: unknown): void {
    errors += 1;
    if (service === undefined) {
      writeToStderr(`execwire: cannot start: ${error instanceof Error ? error.stack : String(error)}\n`);
      endServer(EXIT_FAILURE);
    }
    if (errors <= MAX_LOGGED_ERRORS) service.logUnforeseen(error);
    if (!isDraining) drain();
  }

  process.on('SIGINT', onKey);
  process.on('SIGTERM', () => onSignal('SIGTERM', true));
  // Never ends at once: a terminal that closes may send several.
  process.on('SIGHUP', () => onSignal('SIGHUP', false));
  process.on('uncaughtException', onUnforeseen);
  return {
    get exitCode() {
      return killedCode ?? (errors > 0 ? EXIT_FAILURE : 0);
    },
    endInOrder(started) {
      service = started;
      if (isDraining) drain();
    },
  };
}
