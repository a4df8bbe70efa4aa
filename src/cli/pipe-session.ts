/** One command whose output goes to this program's pipes, and whose input and signals come from here. Knows no flag and no terminal. */
import type { Result, Run } from '../../client/src/node.js';
import { ExecError, RpcError, UnknownOutcomeError } from '../../client/src/node.js';
import type { Connection } from './connection.js';
import { CliError, EXIT_UNKNOWN, exitCodeOfSignal } from './exit-codes.js';
import { BrokenPipeError, standardError, standardOutput } from './out-stream.js';
import { say } from './say.js';
import { type EndSignal, takeEndSignals } from './told-to-end.js';

/** How a command is held. */
export interface PipeSessionOptions {
  /** Whether it reads what this program reads. */
  readonly feedsInput: boolean;
  /** Whether its output is printed as it comes. Without, somebody else reads it. */
  readonly printsOutput: boolean;
  /** What signals to this program do: they are sent on, or this program leaves the command alone. */
  readonly onSignal: 'sendOn' | 'leave';
  /** Whether the command goes on when this program loses its reader or its terminal. */
  readonly isKept: boolean;
}

/** Milliseconds that a signal may take to reach the server when this program ends next. */
const LAST_WORDS_MS = 2_000;

/** This program leaves a command that goes on. */
export class LeftError extends CliError {}

/**
 * Holds a command until its end.
 * @throws {BrokenPipeError} when nobody reads; the command is then ended, unless it is kept
 * @throws {LeftError} when a signal made this program leave
 * @throws {RpcError | LostError | UnknownOutcomeError} as the run does
 */
export async function runOnPipes(run: Run, connection: Connection, options: PipeSessionOptions): Promise<Result> {
  const giveBack = takeEndSignalsFor(run, connection, options);
  const result = resultOf(run);
  result.catch(() => {});
  run.onGap(({ stream, from, to }) =>
    say(`${to - from} bytes of ${stream} are lost: the server does not keep them any more`),
  );
  if (options.feedsInput) void feed(run);
  try {
    if (options.printsOutput) await Promise.race([print(run), giveBack.left]);
    return await Promise.race([result, giveBack.left]);
  } catch (error) {
    if (error instanceof BrokenPipeError || (error instanceof CliError && !(error instanceof LeftError))) {
      await endOrLeave(run, options);
    }
    throw error;
  } finally {
    giveBack.signals();
  }
}

/** The result, also of a command that failed. */
async function resultOf(run: Run): Promise<Result> {
  try {
    return await run;
  } catch (error) {
    if (error instanceof ExecError) return error.result;
    throw error;
  }
}

async function print(run: Run): Promise<void> {
  const streams = { stdout: standardOutput(), stderr: standardError() };
  const onStderrFailure = (error: unknown): void => {
    if (!(error instanceof BrokenPipeError)) throw error;
  };
  for await (const { stream, bytes } of piecesOf(run)) {
    if (stream === 'stdout') await streams.stdout.write(bytes);
    // A program whose standard error nobody reads can still be useful.
    else await streams.stderr.write(bytes).catch(onStderrFailure);
  }
  await streams.stdout.flush();
  await streams.stderr.flush().catch(onStderrFailure);
}

/** The pieces of output; a failure of the command is told by its result. */
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

/** Sends standard input on, to its end or until the command reads no more. */
async function feed(run: Run): Promise<void> {
  // A start that is refused for want of room is sent again as another one, which must get all of the input.
  const hasStarted = await run.started.then(
    () => true,
    () => false,
  );
  if (!hasStarted) return;
  try {
    for await (const chunk of process.stdin) await run.write(chunk as Uint8Array);
    await run.end();
  } catch (error) {
    const isRefused =
      error instanceof RpcError && error.reason !== 'stdinClosed' && error.reason !== 'stdinNotStreamed';
    if (isRefused) say(`standard input is not sent on: ${error.message}`);
  } finally {
    process.stdin.pause();
  }
}

function takeEndSignalsFor(
  run: Run,
  connection: Connection,
  { onSignal, isKept }: PipeSessionOptions,
): { left: Promise<never>; signals: () => void } {
  let leave: (error: LeftError) => void = () => {};
  const left = new Promise<never>((_resolve, reject) => {
    leave = reject;
  });
  left.catch(() => {});
  const signals = takeEndSignals((signal: EndSignal) => {
    if (onSignal === 'leave' || (signal === 'SIGHUP' && isKept)) {
      leave(new LeftError(`left by ${signal}; the command goes on${whereTo(run)}`, exitCodeOfSignal(signal)));
    } else if (connection.isAway) {
      leave(
        new LeftError(
          `left by ${signal} without a connection: what becomes of the command is unknown${whereTo(run)}`,
          EXIT_UNKNOWN,
        ),
      );
    } else void run.kill(signal).catch(() => {});
  });
  return { left, signals };
}

async function endOrLeave(run: Run, { onSignal, isKept }: PipeSessionOptions): Promise<void> {
  const end = onSignal === 'leave' || isKept ? run.detach() : run.kill('SIGTERM');
  await Promise.race([end.catch(() => {}), new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))]);
}

/** Says of an outcome that nobody knows where to look; other errors stay as they are. */
export function asUnknown(error: unknown, { key }: { readonly key: string | undefined }): unknown {
  if (!(error instanceof UnknownOutcomeError) || !error.wasSent) return error;
  if (error.detached === 'takeover')
    return new CliError(`another client has taken over ${key ?? 'the command'}`, EXIT_UNKNOWN);
  const look = key === undefined ? '' : `; \`execwire attach ${key}\` finds it if it is kept somewhere`;
  return new CliError(`the outcome is unknown: ${error.message}${look}`, EXIT_UNKNOWN);
}

/** How to come to a command again. */
function whereTo({ key }: { readonly key: string | undefined }): string {
  return key === undefined ? '' : `; \`execwire attach ${key}\` comes back to it`;
}
