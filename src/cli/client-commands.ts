/** The commands that talk to a server, in the order of the help, and their end. A bundle of their own: none of them loads the server. */
import { attach } from './attach.js';
import type { CliCommand } from './command.js';
import { cp } from './cp.js';
import { endProgram } from './end-program.js';
import { exec } from './exec.js';
import { EXIT_FAILURE, unforeseenText } from './exit-codes.js';
import { health } from './health.js';
import { kill } from './kill.js';
import { logs } from './logs.js';
import { ls } from './ls.js';
import { say } from './say.js';
import { shell } from './shell.js';
import { top } from './top.js';

export const clientCommands: readonly CliCommand[] = [exec, shell, attach, ls, logs, kill, cp, top, health];

/** Runs one of them and ends the program with its exit code. @param argv its name first */
export function runClientCommand([name, ...argv]: readonly string[]): void {
  const fail = (error: unknown): void => {
    say(unforeseenText(error));
    endProgram(EXIT_FAILURE);
  };
  // Node's own code for an uncaught error, 1, would look like one of the command.
  process.on('uncaughtException', fail);
  const command = clientCommands.find((candidate) => candidate.name === name);
  if (command === undefined) throw new Error(`${name} is no command`);
  // Not `process.exitCode`: standard input that nobody reads must not keep the program.
  command.run(argv).then(endProgram, fail);
}
