/** A tool that could not do what was asked, in words for a model: what was wrong and what to do next. Knows no tool. */
import { ConnectError, fieldOf, messageOf, RpcError } from '../../client/src/errors.js';
import { LostError, UnknownOutcomeError } from '../../client/src/result.js';

/** Its message is the result of the tool. */
export class ToolError extends Error {}

const METHOD_NOT_FOUND = -32601;
const OVERLOADED = -32001;
const DRAINING = -32004;

/** What to do about refusals, by their reasons. */
const ADVICE: Readonly<Record<string, string>> = {
  stdinClosed: 'Its input has ended: start it again to send it more.',
  stdinNotStreamed: 'It was started without an open input: use start, and not exec.',
  notWriter: 'Another client writes to it now.',
  keyNotFound: 'The server does not know it any more: it was restarted, or it kept the command long enough.',
  notAuthorized: 'The credential of this connection does not allow it; ask the person who set it up.',
};

/** Says what an error of the client means. */
export function toolErrorOf(error: unknown): ToolError {
  if (error instanceof ToolError) return error;
  if (error instanceof RpcError) return new ToolError(refusalText(error));
  if (error instanceof ConnectError) {
    return new ToolError(`${sentence(error.message)} The next call tries again.`);
  }
  if (error instanceof LostError)
    return new ToolError(`${sentence(error.message)} It runs no longer; start it again if it is needed.`);
  if (error instanceof UnknownOutcomeError) {
    const advice = error.wasSent
      ? 'Look at what it changed before running it again.'
      : 'Nothing was started; the next call tries again.';
    return new ToolError(`${sentence(error.message)} ${advice}`);
  }
  return new ToolError(`unforeseen error: ${messageOf(error)}`);
}

/** Whether the server says that it has no such program. */
export function lacksProgram(error: unknown): boolean {
  if (!(error instanceof RpcError) || error.reason !== 'spawnFailed') return false;
  return fieldOf(error.data, 'errno') === 'ENOENT' && !isAboutDirectory(error);
}

/** Whether the server has no room to keep the output of another command. */
export function lacksReplayBudget(error: unknown): boolean {
  return error instanceof RpcError && fieldOf(error.data, 'bound') === 'replayBudget';
}

/** Whether the server does not have a method. */
export function lacksMethod(error: unknown): boolean {
  return error instanceof RpcError && error.code === METHOD_NOT_FOUND;
}

function isAboutDirectory({ message }: RpcError): boolean {
  return message.startsWith('failed to spawn command: cwd ');
}

function refusalText(error: RpcError): string {
  const { code, message, reason = '', data } = error;
  if (code === OVERLOADED) {
    const bound = fieldOf(data, 'bound');
    return `${message} (${typeof bound === 'string' ? bound : 'overloaded'}). Nothing was done. Stop commands that are no longer needed (list shows them), or try again later.`;
  }
  if (code === DRAINING)
    return `${sentence(message)} The server is about to end and takes no new work; try again in a minute.`;
  if (reason === 'spawnFailed') {
    const advice = isAboutDirectory(error)
      ? 'Give a cwd that exists there.'
      : 'An array is a program and its arguments; for shell syntax give the command as one string.';
    return `${sentence(message)} ${advice}`;
  }
  const advice = ADVICE[reason];
  return advice === undefined ? message : `${sentence(message)} ${advice}`;
}

/** A message as a sentence, so that advice may follow it. */
export function sentence(text: string): string {
  return /[.?!]$/.test(text) ? text : `${text}.`;
}
