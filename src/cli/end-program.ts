/** Ends the program with an exit code, also where its terminal has gone. Knows nothing of what it did. */
import { isatty } from 'node:tty';

/** Standard descriptors that are terminals when the program starts. */
const TERMINALS = [0, 1, 2].filter((fd) => isatty(fd));

/**
 * Ends the program. Where a terminal has gone, such as a closed window, it ends by SIGHUP: Node aborts with a dump when it cannot give a terminal
 * its modes back at an exit.
 */
export function endProgram(code: number): never {
  if (TERMINALS.some((fd) => !isatty(fd))) {
    // Node tells nobody of an end by a signal, and the log and a socket's file have something to do at an exit.
    process.emit('exit', code);
    process.removeAllListeners('SIGHUP');
    process.kill(process.pid, 'SIGHUP');
  }
  process.exit(code);
}
