/** The commands that talk to a server, in the order of the help, and their end. A bundle of their own: none of them loads the server. */

import { isatty } from 'node:tty';
import { attach } from './attach.js';
import type { CliCommand } from './command.js';
import { exec } from './exec.js';
import { EXIT_FAILURE } from './exit-codes.js';
import { kill } from './kill.js';
import { logs } from './logs.js';
import { ls } from './ls.js';
import { writeToStderr } from './say.js';
import { shell } from './shell.js';
import { top } from './top.js';

export const clientCommands: readonly CliCommand[] = [exec, shell, attach, ls, logs, kill, top];

/** Standard descriptors that are terminals when the program starts. */
const TERMINALS = [0, 1, 2].filter((fd) => isatty(fd));

/**
 * Ends the program. Where a terminal has gone, such as a closed window, by SIGHUP itself: Node aborts with a dump at an exit when it cannot
 * give a terminal its modes back.
 */
function end(code: number): void {
  if (TERMINALS.some((fd) => !isatty(fd))) {
    process.removeAllListeners('SIGHUP');
    process.kill(process.pid, 'SIGHUP');
  }
  process.exit(code);
}

/** Runs one of them and ends the program with its exit code. @param argv its name first */
export function runClientCommand([name, ...argv]: readonly string[]): void {
  const fail = (error: unknown): void => {
    writeToStderr(`execwire: ${error instanceof Error ? error.stack : String(error)}\n`);
    end(EXIT_FAILURE);
  };
  // What nobody caught must not look like an exit code of the command.
  process.on('uncaughtException', fail);
  const command = clientCommands.find((candidate) => candidate.name === name);
  if (command === undefined) throw new Error(`${name} is no command`);
  // Not `process.exitCode`: standard input that nobody reads any more must not keep the program.
  command.run(argv).then(end, fail);
}
