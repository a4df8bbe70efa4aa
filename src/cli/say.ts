/** What the program says to people: lines on standard error. Knows no command. */
import { writeInTime } from '../write-in-time.js';

const STDERR_FD = 2;
/** Milliseconds that a line may wait for a terminal that is stopped. */
const PATIENCE_MS = 1_000;
/** The same where a server starts: nobody may delay a start for longer. */
export const START_PATIENCE_MS = 300;

/**
 * Writes a text at once, so that it is out before the program ends. Standard error that does not take it in time gets the rest no more.
 * @param patienceMs milliseconds that standard error may take; default: as long as a terminal may be stopped
 */
export function writeToStderr(text: string, patienceMs = PATIENCE_MS): void {
  writeInTime(STDERR_FD, text, patienceMs);
}

/** Says one line, with the program's name in front, because it stands among the output of commands. */
export function say(line: string): void {
  writeToStderr(`execwire: ${safeLine(line)}\n`);
}

/** Says one line while a remote terminal is shown: on a line of its own, with the carriage returns that a raw terminal needs. */
export function sayOnRawTerminal(text: string): void {
  const lines = text.split('\n').map((line) => safeLine(line));
  writeToStderr(`\r\nexecwire: ${lines.join('\r\n')}\r\n`);
}

/** A text that may hold words of a server, as one line without passwords. Characters that could steer the terminal are shown as `?`. */
export function safeLine(text: string): string {
  return withoutPasswords(withoutControls(text.replace(/\r?\n/g, ' ')));
}

/** Shows characters that could steer the terminal as `?`. */
export function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

/** Leaves user and password out of the URLs in a text. */
export function withoutPasswords(text: string): string {
  return text.replace(/\b([a-z][a-z+]*:\/\/)[^\s/?#`]*@/gi, '$1');
}
