/** Makes the result of a command, or the error it throws, of the reply and of what was captured. Knows no connection. */
import type { Capture } from './capture.js';
import type { NoReply } from './command-fate.js';
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

/** What a caller wants its result to be. */
export interface ResultSettings {
  readonly command: readonly string[];
  readonly encoding: 'utf8' | 'bytes';
  readonly all: boolean;
  readonly stripFinalNewline: boolean;
  /** Milliseconds after which the server was to kill it; undefined for never. */
  readonly timeoutMs: number | undefined;
  /** Which ends throw: all but exit code 0, only those without an exit code, or none. */
  readonly throwsOn: 'failure' | 'noEnd' | 'nothing';
}

/** What this client did to the command, and how long it took. */
export interface Circumstances {
  readonly capture: Capture | undefined;
  readonly elapsedMs: number;
  readonly wasAborted: boolean;
  readonly wasKillAsked: boolean;
  /** What the input threw, in a box of its own since it may be anything. */
  readonly inputFailure: { readonly error: unknown } | undefined;
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
  const { elapsedMs, wasAborted, inputFailure } = circumstances;
  const { timeoutMs } = settings;
  const seemsTimedOut = timeoutMs !== undefined && reply.exitCode === TIMEOUT_EXIT_CODE && elapsedMs >= timeoutMs;
  const timedOut = reply.timedOut ?? seemsTimedOut;
  const result: Result<T> = {
    ...knownResult<T>(settings, circumstances),
    exitCode: reply.exitCode,
    signal: reply.signal ?? undefined,
    timedOut,
    durationMs: reply.durationMs ?? elapsedMs,
    cause: causeOf(reply, timedOut, circumstances),
  };
  const hasFailed =
    reply.exitCode !== 0 || result.signal !== undefined || timedOut || wasAborted || inputFailure !== undefined;
  if (hasFailed && settings.throwsOn === 'failure') {
    throw new ExecError(result, { aborted: wasAborted, cause: inputFailure?.error });
  }
  return result;
}

/** @returns the result where no end throws @throws {LostError | UnknownOutcomeError | ExecError} */
export function resultOfNoReply<T extends Captured>(
  noReply: NoReply,
  settings: ResultSettings,
  circumstances: Circumstances,
): Result<T> {
  const wasNeverRun = circumstances.wasAborted && !noReply.wasSent;
  const result: Result<T> = {
    ...knownResult<T>(settings, circumstances),
    cause: wasNeverRun ? 'terminated' : noReply.kind,
  };
  if (settings.throwsOn === 'nothing') return result;
  if (wasNeverRun) throw new ExecError(result, { aborted: true });
  const { command } = settings;
  const message = command.length === 0 ? noReply.message : `${noReply.message}: ${commandText(command)}`;
  if (noReply.kind === 'lost') throw new LostError(message, result, noReply.cause);
  const { wasSent, detached, cause } = noReply;
  throw new UnknownOutcomeError(message, { result, wasSent, detached, cause });
}

function causeOf(reply: ExecReply, timedOut: boolean, { wasAborted, wasKillAsked }: Circumstances): Cause {
  if (reply.cause === 'outOfMemory') return 'outOfMemory';
  if (timedOut) return 'timeout';
  if (wasAborted) return 'terminated';
  // Servers that do not name the signal still send 128+n.
  const byUnnamedSignal = reply.signal === undefined && wasKillAsked && reply.exitCode > SIGNAL_EXIT_CODES;
  if (typeof reply.signal !== 'string' && !byUnnamedSignal) return 'exited';
  return wasKillAsked ? 'terminated' : 'signal';
}

/** What is known without a reply. */
function knownResult<T extends Captured>(
  { command, encoding, all, stripFinalNewline }: ResultSettings,
  { capture, elapsedMs }: Circumstances,
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
  };
}
