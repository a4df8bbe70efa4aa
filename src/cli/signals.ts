/**
 * What signals do: the first INT, TERM or HUP drains, a further INT or TERM ends everything at once. Knows nothing of how.
 *
 *     listening ──first signal──► draining ──INT or TERM──► killed
 *
 * Handlers stand before the service does, so that a signal during the start is not lost.
 */
import { constants } from 'node:os';

/** What can be ended. */
export interface Endable {
  drain(): Promise<void>;
  /** Kills every command at once; resolves when none is left, which takes the kernel a moment. */
  killCommands(): Promise<void>;
}

const SIGNAL_EXIT_BASE = 128;
/** Longest wait for killed processes to be gone: the exit must come within a second. @see PROTOCOL "Drain" */
const KILL_TIMEOUT_MS = 700;

/** What became of the signals of this process. */
export interface Signals {
  /** With what the process is to end when nothing is left to do: 0, or 128+n once signal n has ended everything. */
  readonly exitCode: number;
  /** Gives the service that the signals, also earlier ones, are for. */
  attach(service: Endable): void;
}

/** Takes the signals of this process over. */
export function handleSignals(): Signals {
  let service: Endable | undefined;
  let exitCode = 0;
  let isDraining = false;
  const drain = (): void => {
    service?.drain().catch((error: unknown) => {
      process.stderr.write(`drain failed: ${String(error)}\n`);
      process.exit(1);
    });
  };
  const onSignal = (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void => {
    if (!isDraining) {
      isDraining = true;
      drain();
    } else if (signal !== 'SIGHUP') {
      // The drain may be over before the killing is: then it ends with this code, too.
      exitCode ||= SIGNAL_EXIT_BASE + constants.signals[signal];
      const exit = (): never => process.exit(exitCode);
      setTimeout(exit, KILL_TIMEOUT_MS);
      if (service === undefined) exit();
      else service.killCommands().then(exit, exit);
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  return {
    get exitCode() {
      return exitCode;
    },
    attach(started) {
      service = started;
      if (isDraining) drain();
    },
  };
}
