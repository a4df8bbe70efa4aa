/** What to do when the reply of a command does not come: the rules of coming back, as one function. Knows no connection and does nothing. */

import type { CommandPlan } from './command-plan.js';
import { fieldOf, messageOf, RpcError } from './errors.js';
import { ConnectionEnded } from './rpc-connection.js';
import type { Session } from './session.js';
import type { Notifications } from './wire.js';

const OVERLOADED = -32001;
const DRAINING = -32004;
/** Close codes that say: go to another server. When execwire sends them, it has not begun what has no answer. */
export const GOING_AWAY = [1001, 1012];

/** Message of a command from which this client has detached. */
export const HAS_DETACHED = 'This client has detached; the command goes on';

/** Says what is known of a command that gets no reply. Stays inside the client. */
export class NoReply extends Error {
  /** `terminated` if the caller gave it up before it was sent. */
  declare readonly kind: 'lost' | 'unknown' | 'terminated';
  declare readonly wasSent: boolean;
  declare readonly detached: 'takeover' | 'requested' | undefined;

  constructor(
    kind: NoReply['kind'],
    message: string,
    details: { wasSent?: boolean; detached?: 'takeover' | 'requested' | undefined; cause?: unknown } = {},
  ) {
    super(message, details);
    this.kind = kind;
    this.wasSent = details.wasSent ?? true;
    this.detached = details.detached;
  }
}

/** A command that was not sent, because there was no session. */
export function neverSent(cause: unknown): NoReply {
  return new NoReply('unknown', `The command was not started: ${messageOf(cause)}`, { wasSent: false, cause });
}

/** A command that was sent and whose outcome cannot be asked for. */
export function unknownBy(cause: unknown): NoReply {
  return new NoReply('unknown', `The outcome is unknown: ${messageOf(cause)}`, { cause });
}

/** What is known of a command when its reply does not come. */
export interface CommandFacts {
  /** What was to be started or attached to. */
  readonly plan: CommandPlan;
  /** Whether anything has shown yet that it runs. */
  readonly hasStarted: boolean;
  /** Whether this client was attached to it before. */
  readonly isAttached: boolean;
  /** The instance of the server that may have started it. */
  readonly serverId: string | undefined;
  readonly detachReason: Notifications['command/exec/detached']['reason'] | undefined;
  readonly home: { /** Milliseconds of coming back; 0 for not at all. */ readonly retryMaxMs: number };
  /** Whether the server of a session keeps it when the connection ends. */
  isKeptBy(session: Session): boolean;
}

/** How to go on. */
export interface NextStep {
  /** The server takes no new work. */
  readonly serverLeaves?: boolean;
  /** The command was certainly not started, so it may start on any server that takes new work. Else it goes on at its own. */
  readonly wasNotStarted?: boolean;
  /** After a pause, because the server refused for now. */
  readonly waits?: boolean;
  /** As an ordinary command, which the server does not keep. */
  readonly asOrdinary?: boolean;
}

/** @throws {NoReply} when the command is over without a reply @throws the error itself when it is the server's answer */
export function nextStep(error: unknown, session: Session, command: CommandFacts): NextStep {
  if (error instanceof RpcError) return afterRefusal(error, session, command);
  if (!(error instanceof ConnectionEnded)) throw error;
  if (isUnseenStart(command) && isCertainlyUndone(error, session)) return { serverLeaves: true, wasNotStarted: true };
  if (!command.isKeptBy(session)) {
    throw new NoReply('lost', `The command is lost: ${error.message}`, { cause: error });
  }
  if (command.home.retryMaxMs > 0) return {};
  throw unknownBy(error);
}

/** Whether it was to be started, and nothing has shown yet that it runs. */
function isUnseenStart({ plan, hasStarted }: CommandFacts): boolean {
  return plan.start !== undefined && !hasStarted;
}

/** Whether the end of a connection says that the server has not begun what has no answer. */
export function isCertainlyUndone(error: unknown, { info }: Session): boolean {
  return info.serverInfo?.name === 'execwire' && error instanceof ConnectionEnded && GOING_AWAY.includes(error.code);
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

function afterRefusal(error: RpcError, session: Session, command: CommandFacts): NextStep {
  if (isRefusedForNow(error)) {
    return { waits: true, wasNotStarted: isUnseenStart(command), serverLeaves: isDraining(error) };
  }
  if (lacksReplayBudget(error) && command.plan.start?.isDetachableOptional) return { asOrdinary: true };
  const { detachReason } = command;
  if (error.reason === 'detached' && detachReason !== undefined) {
    // Only the reader was slow, and no other writer has attached: it goes on where it stopped.
    if (detachReason === 'fellBehind') return {};
    const why = detachReason === 'requested' ? HAS_DETACHED : 'Another client has taken over; the command goes on';
    throw new NoReply('unknown', why, { detached: detachReason, cause: error });
  }
  if (error.reason === 'keyNotFound' && command.isAttached) {
    const isSameServer = session.info.serverId === command.serverId;
    const message = `${isSameServer ? 'The' : 'Another'} server does not know the command`;
    throw new NoReply(isSameServer ? 'lost' : 'unknown', message, { cause: error });
  }
  throw error;
}
