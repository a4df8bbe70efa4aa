/** What to do when the reply of a command does not come: the rules of coming back, as one function. Knows no connection and does nothing. */
import { fieldOf, messageOf, RpcError } from './errors.js';
import { ConnectionEnded } from './rpc-connection.js';
import type { Notifications } from './wire.js';

const OVERLOADED = -32001;
const DRAINING = -32004;
/** Close codes that say: go to another server. When execwire sends them, it has not begun what has no answer. */
export const GOING_AWAY = [1001, 1012];

/** Says what is known of a command that gets no reply. Stays inside the client. */
export class NoReply extends Error {
  readonly kind: 'lost' | 'unknown';
  readonly wasSent: boolean;
  readonly detached: 'takeover' | 'requested' | undefined;

  constructor(
    kind: 'lost' | 'unknown',
    message: string,
    details: { wasSent?: boolean; detached?: 'takeover' | 'requested' | undefined; cause?: unknown } = {},
  ) {
    super(message, details);
    this.kind = kind;
    this.wasSent = details.wasSent ?? true;
    this.detached = details.detached;
  }
}

/** A command that was not sent. @param cause why there was no session; undefined if the caller gave the command up first */
export function neverSent(cause?: unknown): NoReply {
  const why = cause === undefined ? 'it was given up' : messageOf(cause);
  return new NoReply('unknown', `The command was not started: ${why}`, { wasSent: false, cause });
}

/** A command that was sent and whose outcome cannot be asked for. */
export function unknownBy(cause: unknown): NoReply {
  return new NoReply('unknown', `The outcome is unknown: ${messageOf(cause)}`, { cause });
}

/** What is known when a reply does not come. */
export interface CommandFacts {
  /** It was to be started, and nothing has shown yet that it runs. */
  readonly isUnseenStart: boolean;
  /** The server keeps it when the connection ends. */
  readonly isKept: boolean;
  /** This client tries to come back. */
  readonly comesBack: boolean;
  /** The server is execwire, whose close codes say what was not begun. */
  readonly isExecwire: boolean;
  /** This client was attached to it before. */
  readonly wasAttached: boolean;
  /** The server that said so is the one that started it. */
  readonly isSameServer: boolean;
  readonly detachReason: Notifications['command/exec/detached']['reason'] | undefined;
  /** It may run as an ordinary command where the server has no room to keep its output. */
  readonly mayBeOrdinary: boolean;
}

/** How to go on. */
export interface NextStep {
  /** Where: the server of the command, or the one that takes new work. */
  readonly goesTo: 'sameServer' | 'newWork';
  /** The server takes no new work. */
  readonly serverLeaves?: boolean;
  /** The command was certainly not started. */
  readonly wasNotStarted?: boolean;
  /** After a pause, because the server refused for now. */
  readonly waits?: boolean;
  /** As an ordinary command, which the server does not keep. */
  readonly asOrdinary?: boolean;
}

/** @throws {NoReply} when the command is over without a reply @throws the error itself when it is the server's answer */
export function nextStep(error: unknown, facts: CommandFacts): NextStep {
  if (error instanceof RpcError) return afterRefusal(error, facts);
  if (!(error instanceof ConnectionEnded)) throw error;
  if (facts.isUnseenStart && isCertainlyUndone(error, facts.isExecwire)) {
    return { goesTo: 'newWork', serverLeaves: true, wasNotStarted: true };
  }
  if (facts.isKept && facts.comesBack) return { goesTo: 'sameServer' };
  if (facts.isKept) throw unknownBy(error);
  throw new NoReply('lost', `The command is lost: ${error.message}`, { cause: error });
}

/** Whether the end of a connection says that the server has not begun what has no answer. */
export function isCertainlyUndone(error: unknown, isExecwire: boolean): boolean {
  return isExecwire && error instanceof ConnectionEnded && GOING_AWAY.includes(error.code);
}

/** Whether the server refused only for now, and did nothing. */
export function isRefusedForNow(error: unknown): boolean {
  if (!(error instanceof RpcError)) return false;
  return error.code === DRAINING || (error.code === OVERLOADED && !lacksReplayBudget(error));
}

/** Whether the server refused because it drains. */
export function isDraining(error: unknown): boolean {
  return error instanceof RpcError && error.code === DRAINING;
}

/** Milliseconds that a refusal asks to wait; 0 if it names none. */
export function askedDelayMs(error: unknown): number {
  const asked = fieldOf(fieldOf(error, 'data'), 'retryAfterMs');
  return typeof asked === 'number' ? asked : 0;
}

/** Whether the server has no room to keep output. Waiting does not help. */
function lacksReplayBudget(error: RpcError): boolean {
  return error.code === OVERLOADED && fieldOf(error.data, 'bound') === 'replayBudget';
}

function afterRefusal(error: RpcError, facts: CommandFacts): NextStep {
  if (isRefusedForNow(error)) {
    const isStart = facts.isUnseenStart;
    const goesTo = isStart ? 'newWork' : 'sameServer';
    return { goesTo, waits: true, wasNotStarted: isStart, serverLeaves: isDraining(error) };
  }
  if (lacksReplayBudget(error) && facts.mayBeOrdinary) return { goesTo: 'sameServer', asOrdinary: true };
  const { detachReason } = facts;
  if (error.reason === 'detached' && detachReason !== undefined) {
    // Only the reader was slow, and no other writer has attached: it goes on where it stopped.
    if (detachReason === 'fellBehind') return { goesTo: 'sameServer' };
    const details = { detached: detachReason, cause: error };
    throw new NoReply('unknown', `The command goes on without this client (${detachReason})`, details);
  }
  if (error.reason === 'keyNotFound' && facts.wasAttached) {
    const { isSameServer } = facts;
    const message = `${isSameServer ? 'The' : 'Another'} server does not know the command`;
    throw new NoReply(isSameServer ? 'lost' : 'unknown', message, { cause: error });
  }
  throw error;
}
