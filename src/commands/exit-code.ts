/** Exit codes as the protocols count them. Knows no command. */
import { constants } from 'node:os';
import type { ExitStatus } from '../process/os-process.js';

/** Exit code of a command that its timeout ended, as in timeout(1). */
const TIMEOUT_EXIT_CODE = 124;
/** Exit codes of processes ended by a signal start here, as in a shell. */
const SIGNAL_EXIT_BASE = 128;

/** 128+n for signal n, 124 for the timeout. */
export function exitCodeOf({ exitCode, signal, signalNumber }: ExitStatus, timedOut: boolean): number {
  if (timedOut) return TIMEOUT_EXIT_CODE;
  if (signal === null) return exitCode ?? 0;
  return SIGNAL_EXIT_BASE + (signalNumber ?? constants.signals[signal as NodeJS.Signals] ?? 0);
}
