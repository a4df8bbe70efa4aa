/** Sends this program's standard input to a command, and says what is not sent. Knows no flag. */
import { fstatSync, type Stats } from 'node:fs';
import { fieldOf, messageOf } from '../../client/src/errors.js';
import type { Run } from '../../client/src/node.js';
import { CliError } from './exit-codes.js';
import { say } from './say.js';

const STDIN_FD = 0;

/** Whether standard input is a pipe, a socket, a file or, by mistake, a directory, and no terminal and no /dev/null. */
export function hasStandardInput(): boolean {
  const input = standardInput();
  return input !== undefined && (input.isFIFO() || input.isFile() || input.isSocket() || input.isDirectory());
}

/**
 * Sends standard input to its end, or until the command reads no more.
 * @throws {CliError} when it cannot be read to its end; its end is then not sent, because the command would take a part for the whole
 * @param isAttached whether somebody else has started the command, so that a closed input is worth a line
 */
export async function sendStandardInput(
  run: Pick<Run, 'started' | 'write' | 'end'>,
  { isAttached }: { readonly isAttached: boolean },
): Promise<void> {
  // A start that is refused for want of room is sent again as another one, which must get all of the input.
  const hasStarted = await run.started.then(
    () => true,
    () => false,
  );
  if (!hasStarted) return;
  // Node reads nothing from it, and takes that for its end.
  if (standardInput()?.isDirectory() === true) throw unreadable('it is a directory');
  let hasSent = false;
  try {
    for await (const chunk of process.stdin) {
      try {
        await run.write(chunk as Uint8Array);
      } catch (error) {
        sayNotSent(error, isAttached && !hasSent);
        return;
      }
      hasSent = true;
    }
  } catch (error) {
    throw unreadable(fieldOf(error, 'code') === 'EBADF' ? 'it is closed, or open only for writing' : messageOf(error));
  } finally {
    process.stdin.pause();
  }
  // A command without input has none to close.
  await run.end().catch(() => {});
}

/** What standard input is; undefined when it is closed. */
function standardInput(): Stats | undefined {
  try {
    return fstatSync(STDIN_FD);
  } catch {
    return undefined;
  }
}

function unreadable(why: string): CliError {
  return new CliError(`cannot read standard input to its end: ${why}`);
}

/** @param saysClosed whether it is a surprise that the command reads no more; a program such as `head` does so all the time */
function sayNotSent(error: unknown, saysClosed: boolean): void {
  const reason = fieldOf(error, 'reason');
  if (reason === 'stdinNotStreamed') say('standard input is not sent on: the command was started without -i');
  else if (reason === 'stdinClosed') {
    if (saysClosed) say('standard input is not sent on: that of the command is closed');
  } else if (reason !== undefined) say(`standard input is not sent on: ${messageOf(error)}`);
}
