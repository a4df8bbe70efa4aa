/**
 * What signals do: the first INT, TERM or HUP drains, a further INT or TERM ends everything at once. An unforeseen error drains, too,
 * because what state it left nobody knows, and the commands of others have done no wrong. Knows nothing of how.
 *
 *     listening ──first signal, or unforeseen error──► draining ──INT or TERM──► killed
 *
 * Handlers stand before the service does, so that a signal during the start is not lost.
 */
import { constants } from 'node:os';

/** What can be ended. */
export interface Endable {
  drain(): Promise<void>;
  /** Kills every command at once; resolves when none is left, which takes the kernel a moment. */
  killCommands(): Promise<void>;
  /** Logs an error that nobody caught. */
  logUnforeseen(error: unknown): void;
}

const SIGNAL_EXIT_BASE = 128;
/** Something failed that nobody foresaw. */
const EXIT_FAILURE = 1;
/** Longest wait for killed processes to be gone: the exit must come within a second. @see PROTOCOL "Drain" */
const KILL_TIMEOUT_MS = 700;
/** Unforeseen errors that are logged: one that comes with every tick of a timer must not fill the disk while the server drains. */
const MAX_LOGGED_ERRORS = 10;

/** What became of the signals of this process. */
export interface Signals {
  /** With what the process is to end when nothing is left to do: 0, 1 after an unforeseen error, 128+n once signal n has ended everything. */
  readonly exitCode: number;
  /** Names the service that the signals, also earlier ones, are for. */
  endInOrder(service: Endable): void;
}

/** Takes the signals and the uncaught errors of this process over. */
export function handleSignals(): Signals {
  let service: Endable | undefined;
  /** Of the signal that ended everything at once. */
  let killedCode: number | undefined;
  let isSignalled = false;
  let isDraining = false;
  let errors = 0;

  function drain(): void {
    isDraining = true;
    service?.drain().catch((error: unknown) => {
      process.stderr.write(`drain failed: ${String(error)}\n`);
      process.exit(EXIT_FAILURE);
    });
  }

  function onSignal(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', forcing: boolean): void {
    const isFirst = !isSignalled;
    isSignalled = true;
    if (!isDraining) drain();
    else if (forcing && !isFirst) {
      // The drain may be over before the killing is: then it ends with this code, too.
      killedCode ??= SIGNAL_EXIT_BASE + constants.signals[signal];
      const exit = (): never => process.exit(killedCode);
      setTimeout(exit, KILL_TIMEOUT_MS);
      if (service === undefined) exit();
      else service.killCommands().then(exit, exit);
    }
  }

  /** Rejections that nobody handles come here, too. */
  function onUnforeseen(error: unknown): void {
    errors += 1;
    if (service === undefined) {
      process.stderr.write(`execwire cannot start: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(EXIT_FAILURE);
    }
    if (errors <= MAX_LOGGED_ERRORS) service.logUnforeseen(error);
    if (!isDraining) drain();
  }

  process.on('SIGINT', () => onSignal('SIGINT', true));
  process.on('SIGTERM', () => onSignal('SIGTERM', true));
  // A terminal that closes may send several.
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
