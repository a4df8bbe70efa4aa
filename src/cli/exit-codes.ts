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

/** What is known of an error beside its message and exit code. */
export interface CliErrorDetails {
  /** The server's stable name of a refusal. */
  readonly reason?: string | undefined;
  /** Fields that `--json` prints beside the error, such as the output up to then. */
  readonly document?: object | undefined;
  /** Whether the server has not answered a request, so that it is not asked to close the connection in order. */
  readonly serverHangs?: boolean;
}

/** Something that ends the program with one line on standard error. */
export class CliError extends Error {
  readonly exitCode: number;
  readonly details: CliErrorDetails;

  constructor(message: string, exitCode: number = EXIT_FAILURE, details: CliErrorDetails = {}) {
    super(message);
    this.exitCode = exitCode;
    this.details = details;
  }
}

/** Largest exit code that a program can have. */
const MAX_EXIT_CODE = 255;
/** Characters of a server's wrong value in a message. */
const SHOWN_VALUE = 40;

/**
 * The exit code of a command that has ended; never 0 for one that did not end with 0.
 * @throws {CliError} with 255 where the server says something that is no exit code
 */
export function exitCodeOfResult({ cause, exitCode, signal }: Pick<Result, 'cause' | 'exitCode' | 'signal'>): number {
  if (cause === 'timeout') return EXIT_TIMEOUT;
  if (exitCode === undefined && (cause === 'lost' || cause === 'unknown')) return EXIT_UNKNOWN;
  const code: unknown = exitCode;
  if (typeof code !== 'number' || !Number.isInteger(code) || code < 0 || code > MAX_EXIT_CODE) {
    const shown = (JSON.stringify(code) ?? 'nothing').slice(0, SHOWN_VALUE);
    throw new CliError(`the outcome is unknown: the server says ${shown}, which is no exit code`, EXIT_UNKNOWN);
  }
  return code === 0 && typeof signal === 'string' ? exitCodeOfSignal(signal) : code;
}

/** An error that nobody foresaw, in one line that names its place for a report. */
export function unforeseenText(error: unknown): string {
  if (!(error instanceof Error)) return `unforeseen error: ${String(error)}`;
  const [, place] = /\n\s+at (.+)/.exec(error.stack ?? '') ?? [];
  return `unforeseen error: ${error.name}: ${error.message}${place === undefined ? '' : ` (at ${place})`}`;
}

/** Shortages of the server's machine, which say nothing about the program. */
const SHORTAGES = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM', 'ENOSYS']);

/** The message and exit code of a failure of the client. @returns undefined for an error that nobody foresaw */
export function cliErrorOf(error: unknown): CliError | undefined {
  if (error instanceof CliError) return error;
  if (error instanceof RpcError) {
    const advice =
      error.reason === 'keyConflict'
        ? ': its words, directory, variables or -t differ; use another --key, or `execwire attach` that one'
        : '';
    return new CliError(error.message + advice, exitCodeOfRefusal(error), { reason: error.reason });
  }
  if (error instanceof ConnectError) return new CliError(error.message);
  if (error instanceof LostError) return new CliError(error.message, EXIT_UNKNOWN);
  if (error instanceof UnknownOutcomeError)
    return new CliError(error.message, error.wasSent ? EXIT_UNKNOWN : EXIT_FAILURE);
  return undefined;
}

function exitCodeOfRefusal({ reason, data, message }: RpcError): number {
  if (reason !== 'spawnFailed') return EXIT_FAILURE;
  const { errno } = data as { readonly errno?: string };
  // A missing directory is a wrong flag, and not a wrong program.
  if (errno === undefined || SHORTAGES.has(errno) || message.startsWith('failed to spawn command: cwd '))
    return EXIT_FAILURE;
  return errno === 'ENOENT' ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}
