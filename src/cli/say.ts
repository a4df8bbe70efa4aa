/** What the program says to people: lines on standard error. Knows no command. */
import { writeSync } from 'node:fs';

const STDERR_FD = 2;
/** Milliseconds that a line may wait for a terminal that is stopped. */
const PATIENCE_MS = 1_000;

/** Writes a text at once, whatever becomes of the program next. One that nobody can take is dropped. */
export function writeToStderr(text: string): void {
  const deadlineMs = performance.now() + PATIENCE_MS;
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
