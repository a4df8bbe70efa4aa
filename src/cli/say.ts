/** What the program says to people: lines on standard error. Knows no command. */
import { writeSync } from 'node:fs';

const STDERR_FD = 2;
/** Milliseconds that a line may wait for a terminal that is stopped. */
const PATIENCE_MS = 1_000;
/** The same for what is said where a server starts: nobody may hold that up for longer. */
export const START_PATIENCE_MS = 300;

/**
 * Writes a text at once, whatever becomes of the program next. One that nobody can take is dropped.
 * @param patienceMs milliseconds that standard error may take; default: as long as a terminal may be stopped
 */
export function writeToStderr(text: string, patienceMs = PATIENCE_MS): void {
  const deadlineMs = performance.now() + patienceMs;
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(STDERR_FD, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || performance.now() > deadlineMs) return;
    }
  }
}

/** Says one line, with the program's name in front: it stands among the output of commands. */
export function say(line: string): void {
  writeToStderr(`execwire: ${line}\n`);
}
