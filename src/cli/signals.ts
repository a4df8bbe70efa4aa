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
  /** Kills every command at once. */
  killAll(): void;
}

const SIGNAL_EXIT_BASE = 128;
/** Time for killed processes to be gone before the server is. */
const LAST_LOOK_MS = 300;

/** Takes the signals of this process over. */
export function handleSignals(): { attach(service: Endable): void } {
  let service: Endable | undefined;
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
      service?.killAll();
      setTimeout(() => process.exit(SIGNAL_EXIT_BASE + constants.signals[signal]), LAST_LOOK_MS);
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  return {
    attach(started) {
      service = started;
      if (isDraining) drain();
    },
  };
}
