/** The exit codes of the commands that talk to a server, and what in the world each stands for. Knows no command. */
import { constants } from 'node:os';
import { ConnectError, RpcError } from '../../client/src/errors.js';
import { LostError, type Result, UnknownOutcomeError } from '../../client/src/result.js';

/** The command was ended by its `--timeout`, as by timeout(1). */
export const EXIT_TIMEOUT = 124;
/** execwire itself failed, as with docker: a wrong flag, no server, a refusal. */
export const EXIT_FAILURE = 125;
/** There is such a program, and it cannot be executed, as with a shell. */
export const EXIT_NOT_EXECUTABLE = 126;
/** There is no such program, likewise. */
export const EXIT_NOT_FOUND = 127;
/** The connection is lost and so is the outcome, as with ssh. */
export const EXIT_UNKNOWN = 255;
const SIGNAL_BASE = 128;

/** 128 + the number of a signal. */
export function exitCodeOfSignal(signal: string): number {
  return SIGNAL_BASE + (constants.signals[signal as NodeJS.Signals] ?? 0);
}

/** Standard output is a pipe that nobody reads any more. */
export const EXIT_BROKEN_PIPE = exitCodeOfSignal('SIGPIPE');

/** Something that ends the program with one line on standard error. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT_FAILURE) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The exit code of a command that has ended; never 0 for one that did not end with 0. */
export function exitCodeOfResult({ cause, exitCode }: Pick<Result, 'cause' | 'exitCode'>): number {
  if (cause === 'timeout') return EXIT_TIMEOUT;
  return exitCode ?? EXIT_UNKNOWN;
}

/** Shortages of the server's machine, which say nothing about the program. */
const SHORTAGES = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM', 'ENOSYS']);

/** What a failure of the client means to whoever called the program. @returns undefined for what nobody foresaw */
export function cliErrorOf(error: unknown): CliError | undefined {
  if (error instanceof CliError) return error;
  if (error instanceof RpcError) return new CliError(error.message, exitCodeOfRefusal(error));
  if (error instanceof ConnectError) return new CliError(error.message);
  if (error instanceof LostError) return new CliError(error.message, EXIT_UNKNOWN);
  if (error instanceof UnknownOutcomeError)
    return new CliError(error.message, error.wasSent ? EXIT_UNKNOWN : EXIT_FAILURE);
  return undefined;
}

function exitCodeOfRefusal({ reason, data, message }: RpcError): number {
  if (reason !== 'spawnFailed') return EXIT_FAILURE;
  const { errno } = data as { readonly errno?: string };
  // A directory that is not there is a wrong flag, and no wrong program.
  if (errno === undefined || SHORTAGES.has(errno) || message.startsWith('failed to spawn command: cwd '))
    return EXIT_FAILURE;
  return errno === 'ENOENT' ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}
