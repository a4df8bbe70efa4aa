/** One command between this program's pipes: prints its output, sends it input and signals. Knows no flag and no terminal. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Result, Run } from '../../client/src/node.js';
import { UnknownOutcomeError } from '../../client/src/node.js';
import type { Connection } from './connection.js';
import {
  CliError,
  cliErrorOf,
  EXIT_UNKNOWN,
  exitCodeOfResult,
  exitCodeOfSignal,
  unforeseenText,
} from './exit-codes.js';
import { giveUpStart, isNeverSent, LeftError, notStartedError, resultOf } from './given-up-start.js';
import { gapText } from './kept-output.js';
import { BrokenPipeError, standardError, standardOutput } from './out-stream.js';
import { say } from './say.js';
import { sendStandardInput } from './standard-input.js';
import { StartWatch } from './start-watch.js';
import { type EndSignal, Insistence, isAnsweredInTime, takeEndSignals } from './told-to-end.js';

/** How a command is held. */
export interface PipeSessionOptions {
  /** Whether standard input is sent to the command; `attached` when somebody else has started it, and may have given it no input. */
  readonly feedsInput: boolean | 'attached';
  /** Whether output is printed as it comes. False where it is captured. */
  readonly printsOutput: boolean;
  /** What a signal to this program does: it is sent to the command, or this program leaves the command alone. */
  readonly onSignal: 'sendOn' | 'leave';
  /** Whether the command goes on when this program loses its reader or its terminal. */
  readonly isKept: boolean;
}

/** The end of a command. */
export interface HeldEnd {
  readonly result: Result;
  /** The exit code of this program. */
  readonly code: number;
}

/**
 * Holds a command until its end.
 * @throws {BrokenPipeError} when nobody reads; the command is then ended, unless it is kept
 * @throws {LeftError} when a signal made this program leave, or the server did not answer when the signal was sent on
 * @throws {RpcError | LostError | UnknownOutcomeError} as the run does
 */
export async function runOnPipes(run: Run, connection: Connection, options: PipeSessionOptions): Promise<HeldEnd> {
  const start = new StartWatch(run, connection);
  const giveBack = takeEndSignalsFor(run, connection, { ...options, start });
  const result = resultOf(run);
  result.catch(() => {});
  run.onGap((gap) => say(gapText(gap)));
  const stop = Promise.race([giveBack.left, inputFailure(run, options)]);
  stop.catch(() => {});
  try {
    if (options.printsOutput) await Promise.race([print(run), stop]);
    const ended = await Promise.race([result, stop]);
    if (isNeverSent(ended)) throw giveBack.notStarted();
    return { result: ended, code: exitCodeOfResult(ended) };
  } catch (error) {
    if (error instanceof BrokenPipeError || (error instanceof CliError && !(error instanceof LeftError))) {
      await endOrLeave(run, options);
    }
    throw error;
  } finally {
    start.stop();
    if (!giveBack.isLeaving()) giveBack.signals();
  }
}

/** Feeds the command. Never resolves; rejects when standard input cannot be read to its end. */
async function inputFailure(run: Run, { feedsInput }: PipeSessionOptions): Promise<never> {
  if (feedsInput !== false) await sendStandardInput(run, { isAttached: feedsInput === 'attached' });
  return new Promise(() => {});
}

/** Prints all output. @throws {BrokenPipeError} when either stream has no reader, which would end a command here, too */
async function print(run: Run): Promise<void> {
  const streams = { stdout: standardOutput(), stderr: standardError() };
  const printAll = async (): Promise<void> => {
    for await (const { stream, bytes } of piecesOf(run)) await streams[stream].write(bytes);
    await streams.stdout.flush();
    await streams.stderr.flush();
  };
  // A command may print nothing more for a long time after its reader has gone.
  await Promise.race([printAll(), streams.stdout.failed, streams.stderr.failed]);
}

/** The pieces of output. A failure of the command only ends them: its result reports it. */
async function* piecesOf(run: Run): AsyncGenerator<{ stream: 'stdout' | 'stderr'; bytes: Uint8Array }> {
  const pieces = run.chunks[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await pieces.next().catch(() => undefined);
      if (next === undefined || next.done === true) return;
      yield next.value;
    }
  } finally {
    await pieces.return?.();
  }
}

function takeEndSignalsFor(
  run: Run,
  connection: Connection,
  { onSignal, isKept, start }: PipeSessionOptions & { readonly start: StartWatch },
): { left: Promise<never>; isLeaving: () => boolean; notStarted: () => LeftError; signals: () => void } {
  let isLeaving = false;
  let leave: (error: LeftError) => void = () => {};
  const left = new Promise<never>((_resolve, reject) => {
    leave = (error) => {
      // The program ends next, and a further signal must not change its exit code.
      isLeaving = true;
      reject(error);
    };
  });
  left.catch(() => {});
  const insistence = new Insistence();
  let unanswered = 0;
  const sendOn = async (signal: EndSignal): Promise<void> => {
    unanswered += 1;
    if (await isAnsweredInTime(run.kill(signal))) {
      unanswered -= 1;
      if (unanswered === 0) insistence.reset();
    } else leave(unansweredError(signal, run));
  };
  const giveUp = async (signal: EndSignal): Promise<void> => {
    if ((await giveUpStart(run)) === 'unanswered') leave(unansweredError(signal, run));
  };
  const leaveAway = async (signal: EndSignal): Promise<void> => {
    // What was never sent ends here at once.
    void run.kill('SIGTERM').catch(() => {});
    await nextTurn();
    const message = `left by ${signal} without a connection: what becomes of the command is unknown${whereTo(run)}`;
    leave(new LeftError(message, EXIT_UNKNOWN));
  };
  let last: EndSignal = 'SIGTERM';
  const signals = takeEndSignals((signal: EndSignal) => {
    last = signal;
    const leavesIt = onSignal === 'leave' || (signal === 'SIGHUP' && isKept && !start.isWaiting);
    if (leavesIt)
      leave(new LeftError(`left by ${signal}; the command goes on${whereTo(run)}`, exitCodeOfSignal(signal)));
    else if (start.isWaiting) void giveUp(signal);
    else if (connection.isAway) void leaveAway(signal);
    else if (insistence.isInsisting(signal)) leave(unansweredError(signal, run));
    else void sendOn(signal);
  });
  return { left, isLeaving: () => isLeaving, notStarted: () => notStartedError(last), signals };
}

/** The end of a program that was told to end and could not pass it on. */
export function unansweredError(signal: NodeJS.Signals, run: { readonly key: string | undefined }): LeftError {
  const look = whereTo(run) || '; `execwire ls` lists what runs there';
  return new LeftError(
    `left by ${signal}: the server does not answer, and what becomes of the command is unknown${look}`,
    EXIT_UNKNOWN,
    { serverHangs: true },
  );
}

async function endOrLeave(run: Run, { onSignal, isKept }: PipeSessionOptions): Promise<void> {
  const end = onSignal === 'leave' || isKept ? run.detach() : run.kill('SIGTERM');
  await isAnsweredInTime(end);
}

/** Says where to look for a command whose outcome is unknown; an error after which it is known stays as it is. */
export function asUnknown(error: unknown, { key }: { readonly key: string | undefined }): unknown {
  const look = key === undefined ? '' : `; \`execwire attach ${key}\` finds it if it is kept somewhere`;
  if (!(error instanceof BrokenPipeError) && cliErrorOf(error) === undefined)
    return new CliError(`the outcome is unknown: ${unforeseenText(error)}${look}`, EXIT_UNKNOWN);
  if (!(error instanceof UnknownOutcomeError) || !error.wasSent) return error;
  if (error.detached === 'takeover')
    return new CliError(`another client has taken over ${key ?? 'the command'}`, EXIT_UNKNOWN);
  const why = error.message.replace(/^The outcome is unknown: /, '');
  return new CliError(`the outcome is unknown: ${why}${look}`, EXIT_UNKNOWN);
}

/** Says how to come back to a command that has a key. */
function whereTo({ key }: { readonly key: string | undefined }): string {
  return key === undefined ? '' : `; \`execwire attach ${key}\` comes back to it`;
}
