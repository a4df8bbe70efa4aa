/** The result of a command, and the errors that carry one. Knows no wire and no connection. */
import { messageOf } from './errors.js';

/**
 * Why a command ended: `exited` by itself, `signal` by a signal that this client did not send, `timeout` by its timeout, `terminated` because this client
 * killed it, aborted it, or its input threw, `outOfMemory` for lack of memory, `lost` with its connection or its server; `unknown` if the server could not be asked.
 *
 * @example
 * import type { Cause } from 'execwire-client';
 * const { cause } = await box.exec(['sleep', '60'], { timeout: 50, reject: false });
 * const again: Cause[] = ['lost', 'unknown'];
 * console.log(cause, again.includes(cause)); // timeout false
 */
export type Cause = 'exited' | 'signal' | 'timeout' | 'terminated' | 'outOfMemory' | 'lost' | 'unknown';

/**
 * Captured output: text, or bytes with `encoding: 'bytes'`.
 *
 * @example
 * import type { Captured, Result } from 'execwire-client';
 * const size = ({ stdout }: Result<Captured>): number => stdout.length;
 * console.log(size(await box.exec(['printf', 'é'])), size(await box.exec(['printf', 'é'], { encoding: 'bytes' }))); // 1 2
 */
export type Captured = string | Uint8Array;

/**
 * The result of a command.
 *
 * @example
 * import type { Result } from 'execwire-client';
 * const result: Result = await box.exec(['sh', '-c', 'echo out; exit 3'], { reject: false });
 * console.log(result.exitCode, result.stdout, result.cause); // 3 out exited
 */
export interface Result<T extends Captured = string> {
  /** Program and arguments; empty after {@link Box.attach}, since the server does not repeat them. */
  readonly command: readonly string[];
  /** As the server sent it: the program's own, 128+n after signal n, 124 after the timeout. Undefined if the server sent none. */
  readonly exitCode: number | undefined;
  /** Name of the signal that ended it, such as `SIGTERM`. */
  readonly signal: string | undefined;
  /** Whether `timeout` ended it. */
  readonly timedOut: boolean;
  /** Bytes of each stream that are not in the captured output. */
  readonly truncated: { readonly stdout: number; readonly stderr: number };
  /** Captured standard output. */
  readonly stdout: T;
  /** Captured standard error; empty for a terminal. */
  readonly stderr: T;
  /** Both streams in the order in which they came; only with `all: true`. */
  readonly all?: T;
  /** Milliseconds from its start to its end; measured here where the server does not say. */
  readonly durationMs: number;
  readonly cause: Cause;
  /** What the `input` threw, which terminated the command. Absent if it threw nothing. */
  readonly inputError?: unknown;
}

/** An error with all fields of a result. They are not enumerable, so that a printed error does not show everything twice. */
abstract class CommandError<T extends Captured> extends Error {
  /** Everything that is known of the command. */
  declare readonly result: Result<T>;
  declare readonly command: readonly string[];
  declare readonly exitCode: number | undefined;
  declare readonly signal: string | undefined;
  declare readonly timedOut: boolean;
  declare readonly stdout: T;
  declare readonly stderr: T;
  declare readonly all: T | undefined;
  declare readonly truncated: Result<T>['truncated'];
  declare readonly durationMs: number;
  declare readonly inputError: unknown;

  constructor(name: string, message: string, result: Result<T>, cause: unknown) {
    super(message, { cause });
    this.name = name;
    this.result = result;
    for (const [field, value] of Object.entries(result)) {
      if (field !== 'cause') Object.defineProperty(this, field, { value });
    }
  }
}

/**
 * A command that failed: another exit code than 0, a signal, its timeout, an abort, an `input` that threw. Has all fields of the {@link Result}; `cause`
 * is that of the result, or what the `input` threw.
 *
 * @example
 * import { ExecError } from 'execwire-client';
 * try {
 *   await box.exec(['sh', '-c', 'echo nope >&2; exit 3']);
 * } catch (error) {
 *   if (error instanceof ExecError) console.log(error.exitCode, error.stderr); // 3 nope
 * }
 */
export class ExecError<T extends Captured = string> extends CommandError<T> {
  /** Whether its `AbortSignal` ended it. */
  declare readonly aborted: boolean;

  constructor(result: Result<T>, aborted: boolean) {
    super('ExecError', failureText(result, aborted), result, result.inputError ?? result.cause);
    this.aborted = aborted;
  }
}

/**
 * The command is lost: its connection broke and it was not detachable, or the server does not know it any more. It runs no longer, and no exit code was
 * sent.
 *
 * @example
 * import { LostError } from 'execwire-client';
 * const other = await connect('ws://127.0.0.1:4500');
 * const run = other.exec(['sleep', '60']);
 * await run.started;
 * await other.close();
 * await run.catch((error: unknown) => console.log(error instanceof LostError)); // true
 */
export class LostError<T extends Captured = string> extends CommandError<T> {
  constructor(message: string, result: Result<T>, cause?: unknown) {
    super('LostError', message, result, cause ?? result.cause);
  }
}

/** What is known of a command or request whose outcome is unknown. */
export interface UnknownOutcomeDetails<T extends Captured> {
  readonly result?: Result<T> | undefined;
  /** Default true. */
  readonly wasSent?: boolean;
  readonly detached?: 'takeover' | 'requested' | undefined;
  readonly cause?: unknown;
}

/**
 * The outcome of a command or a request is unknown: no server was reachable in time, another one answered, its reply is not valid, or this client has
 * detached from the command, by its own wish or because another client took it over.
 *
 * @example
 * import { UnknownOutcomeError } from 'execwire-client';
 * const job = box.exec(['sleep', '60'], { detachable: true });
 * const { key } = await job.started;
 * await job.detach();
 * await job.catch((error: unknown) => console.log(error instanceof UnknownOutcomeError && error.detached)); // requested
 * if (key !== undefined) await box.kill(key);
 */
export class UnknownOutcomeError<T extends Captured = string> extends Error {
  /** What is known of the command; undefined for a request that is none. */
  declare readonly result: Result<T> | undefined;
  /** False if it was certainly not started, because it never left this client. */
  declare readonly wasSent: boolean;
  /** Why this client is no longer attached; undefined when a connection or a server is at fault. */
  declare readonly detached: 'takeover' | 'requested' | undefined;

  constructor(message: string, details: UnknownOutcomeDetails<T> = {}) {
    super(message, { cause: details.cause ?? 'unknown' });
    this.name = 'UnknownOutcomeError';
    this.result = details.result;
    this.wasSent = details.wasSent ?? true;
    this.detached = details.detached;
  }
}

/** Characters of captured standard error in a message: its end says most. */
const SHOWN_STDERR = 2_000;

function failureText(result: Result<Captured>, aborted: boolean): string {
  const { command, stderr } = result;
  const shown = typeof stderr === 'string' ? stderr.slice(-SHOWN_STDERR) : '';
  const what = aborted ? 'aborted' : endText(result);
  return `Command failed: ${what}: ${commandText(command)}${shown === '' ? '' : `\n${shown}`}`;
}

/** How a command ended, in some words. */
export function endText(result: Result<Captured>): string {
  const { exitCode, signal, durationMs, cause } = result;
  if ('inputError' in result) return `its input failed (${messageOf(result.inputError)})`;
  if (cause === 'timeout') return `timed out after ${Math.round(durationMs)} ms`;
  return signal ?? (cause === 'exited' ? `exit code ${exitCode}` : cause);
}

/** Characters of a command in a message. */
const SHOWN_COMMAND = 200;

/** A command as people would type it, cut when it is long. */
export function commandText(command: readonly string[]): string {
  const words = command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : shellQuoted(word)));
  const text = words.join(' ');
  return text.length > SHOWN_COMMAND ? `${text.slice(0, SHOWN_COMMAND)}…` : text;
}

/** A word that a shell takes as it is. */
function shellQuoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
