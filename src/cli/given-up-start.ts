/** Gives up a command that no server has taken yet, because this program was told to end. Knows no output and no terminal. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ExecError, type Result, type Run, type Terminal } from '../../client/src/node.js';
import { CliError, exitCodeOfSignal } from './exit-codes.js';
import { isAnsweredInTime } from './told-to-end.js';

/** Milliseconds between two tries to give up a start. */
const GIVE_UP_AGAIN_MS = 100;

/** This program leaves a command that may go on. */
export class LeftError extends CliError {}

/** The end of a program that gave up a command which was never sent. */
export function notStartedError(signal: NodeJS.Signals): LeftError {
  return new LeftError(`left by ${signal}: the command was not started`, exitCodeOfSignal(signal));
}

/**
 * Gives a start up. One that is just being sent cannot be given up, so it is tried until it can, or until the server has been told to end the command.
 * @returns `unanswered` when neither has happened in time; the command may then run
 */
export async function giveUpStart(command: Run | Terminal): Promise<'notStarted' | 'told' | 'unanswered'> {
  const result = 'result' in command ? resultOf(command.result) : resultOf(command);
  let onTold: () => void = () => {};
  const told = new Promise<void>((resolve) => {
    onTold = resolve;
  });
  const tryIt = (): void => void command.kill('SIGTERM').then(onTold, () => {});
  const again = setInterval(tryIt, GIVE_UP_AGAIN_MS);
  tryIt();
  const isAnswered = await isAnsweredInTime(Promise.race([told, result]));
  clearInterval(again);
  if (!isAnswered) return 'unanswered';
  // What was never sent has ended by then; a command that runs ends later.
  const ended = await Promise.race([result.catch(() => undefined), nextTurn()]);
  return ended !== undefined && isNeverSent(ended) ? 'notStarted' : 'told';
}

/** The result, also of a command that failed. */
export async function resultOf<Ended>(ended: PromiseLike<Ended>): Promise<Ended | Result> {
  try {
    return await ended;
  } catch (error) {
    if (error instanceof ExecError) return error.result;
    throw error;
  }
}

/** Whether a command was given up before its start was sent. */
export function isNeverSent({ cause, exitCode }: Pick<Result, 'cause' | 'exitCode'>): boolean {
  return cause === 'terminated' && exitCode === undefined;
}
