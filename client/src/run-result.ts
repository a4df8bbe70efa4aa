/** Makes the result of a command, or the error it throws, of the reply and of what was captured. Knows no connection. */
import type { Capture } from './capture.js';
import type { NoReply } from './command-fate.js';
import type { Encoding, ExecOptions } from './options.js';
import {
  type Captured,
  type Cause,
  commandText,
  ExecError,
  LostError,
  type Result,
  UnknownOutcomeError,
} from './result.js';
import type { ExecReply, StreamName } from './wire.js';

/** What a caller wants its result to be; the options of the same names. */
export interface ResultSettings
  extends Pick<ExecOptions<Encoding>, 'encoding' | 'all' | 'stripFinalNewline' | 'timeout'> {
  readonly command: readonly string[];
  /** Which ends throw: all but exit code 0, only those without an exit code, or none. */
  readonly throwsOn: 'failure' | 'noEnd' | 'nothing';
}

/** What this client did to the command, and how long it took. */
export interface Circumstances {
  readonly capture: Capture | undefined;
  readonly elapsedMs: number;
  readonly wasAborted: boolean;
  /** Signals that this client sent, or had the server send. */
  readonly signals: ReadonlySet<string>;
  /** What the input threw, as the result has it; undefined if it threw nothing. */
  readonly inputFailure: Pick<Result, 'inputError'> | undefined;
}

const TIMEOUT_EXIT_CODE = 124;
/** An exit code above this says 128 + signal. */
const SIGNAL_EXIT_CODES = 128;

/** @returns the result @throws {ExecError} where the caller wants failures thrown */
export function resultOfReply<T extends Captured>(
  reply: ExecReply,
  settings: ResultSettings,
  circumstances: Circumstances,
): Result<T> {
  const { elapsedMs, wasAborted } = circumstances;
  const { timeout = 0 } = settings;
  const seemsTimedOut = timeout > 0 && reply.exitCode === TIMEOUT_EXIT_CODE && elapsedMs >= timeout;
  const timedOut = reply.timedOut ?? seemsTimedOut;
  const result: Result<T> = {
    ...knownResult<T>(settings, circumstances),
    exitCode: reply.exitCode,
    signal: reply.signal ?? undefined,
    timedOut,
    durationMs: reply.durationMs ?? elapsedMs,
    cause: causeOf(reply, timedOut, circumstances),
  };
  if (settings.throwsOn === 'failure' && (reply.exitCode !== 0 || result.cause !== 'exited')) {
    throw new ExecError(result, wasAborted);
  }
  return result;
}

/** @returns the result where no end throws @throws {LostError | UnknownOutcomeError | ExecError} */
export function resultOfNoReply<T extends Captured>(
  noReply: NoReply,
  settings: ResultSettings,
  circumstances: Circumstances,
): Result<T> {
  const { kind, wasSent, detached, cause } = noReply;
  const result: Result<T> = { ...knownResult<T>(settings, circumstances), cause: kind };
  if (settings.throwsOn === 'nothing') return result;
  if (kind === 'terminated') throw new ExecError(result, circumstances.wasAborted);
  const { command } = settings;
  const message = command.length === 0 ? noReply.message : `${noReply.message} (command: ${commandText(command)})`;
  if (kind === 'lost') throw new LostError(message, result, cause);
  throw new UnknownOutcomeError(message, { result, wasSent, detached, cause });
}

function causeOf(
  { cause, signal, exitCode }: ExecReply,
  timedOut: boolean,
  { wasAborted, inputFailure, signals }: Circumstances,
): Cause {
  if (cause === 'outOfMemory') return 'outOfMemory';
  if (timedOut) return 'timeout';
  // Servers that do not name the signal still send 128+n.
  const byUnnamedSignal = signal === undefined && signals.size > 0 && exitCode > SIGNAL_EXIT_CODES;
  if (wasAborted || inputFailure !== undefined || byUnnamedSignal || signals.has(signal ?? '')) return 'terminated';
  return typeof signal === 'string' ? 'signal' : 'exited';
}

/** What is known without a reply. */
function knownResult<T extends Captured>(
  { command, encoding, all, stripFinalNewline = true }: ResultSettings,
  { capture, elapsedMs, inputFailure }: Circumstances,
): Omit<Result<T>, 'cause'> {
  const of = (streams: readonly StreamName[]): T => {
    if (encoding === 'bytes') return (capture?.join(streams) ?? new Uint8Array(0)) as T;
    const text = capture?.text(streams) ?? '';
    return (stripFinalNewline ? text.replace(/\r?\n$/, '') : text) as T;
  };
  return {
    command,
    exitCode: undefined,
    signal: undefined,
    timedOut: false,
    durationMs: elapsedMs,
    stdout: of(['stdout']),
    stderr: of(['stderr']),
    ...(all ? { all: of(['stdout', 'stderr']) } : {}),
    truncated: { stdout: capture?.leftOut('stdout') ?? 0, stderr: capture?.leftOut('stderr') ?? 0 },
    ...inputFailure,
  };
}
