/**
 * From the params of `command/exec` to a decided request: the refusals in the protocol's order, and the defaults. Knows no process.
 * @see PROTOCOL "command/exec"
 */

import type { AttachmentRole } from '../../commands/attachment.js';
import type { Environment, OutputName, TerminalSize } from '../../process/os-process.js';
import { rpcError } from '../../protocol/errors.js';
import type { MethodParams } from '../../protocol/methods.js';
import { type DecidedSandbox, decideSandbox, NO_SANDBOX_SETTINGS, type SandboxSettings } from './sandbox-request.js';

/** Bytes captured or sent per stream when the request names no cap. */
export const DEFAULT_OUTPUT_CAP_BYTES = 1024 * 1024;
/** Milliseconds until a command is killed when the request names no timeout. */
export const DEFAULT_TIMEOUT_MS = 10_000;
/** Size of a terminal when the request names none: that of a VT100. */
export const DEFAULT_SIZE: TerminalSize = { rows: 24, cols: 80 };
/** Milliseconds a detachable command lives with nobody attached, when the request names no other time. */
const DEFAULT_TTL_MS = 60_000;
/** Bytes kept of each stream of a detachable command, when the request names no other number. */
const DEFAULT_REPLAY_BYTES = 1024 * 1024;

/** The server's ceilings for detachable commands. */
export interface DetachableCeilings {
  /** Infinity for none. */
  readonly maxDetachedMs: number;
  readonly maxReplayBytes: number;
}

/** How much is kept of a command that outlives its connection, and for how long. */
export interface DetachableRequest {
  readonly key: string;
  readonly ttlMs: number;
  readonly replayBytes: number;
  readonly waitsForWriter: boolean;
}

/** The protocol that a command was started by. */
export type DialectName = 'command/exec' | 'process/spawn' | 'exec-server';

/** A request with everything decided. */
export interface ExecRequest {
  readonly dialect: DialectName;
  /** The description that its starter gave; for people and traces. */
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  readonly argv: readonly [string, ...string[]];
  /** The client's name for the command, in its dialect. */
  readonly processId: string | undefined;
  readonly tty: TerminalSize | undefined;
  readonly streamStdin: boolean;
  readonly streamOutput: boolean;
  /** Infinity for no cap. */
  readonly outputCapBytes: number;
  /** Undefined for no timeout. */
  readonly timeoutMs: number | undefined;
  readonly cwd: string | undefined;
  /** What the environment is made over. Undefined for that of the server, without its secrets. */
  readonly inherited: Environment | undefined;
  /** The name that the program sees as its own; undefined for the one it was found by. */
  readonly arg0: string | undefined;
  /** Whether TERM is set on a terminal whose environment names none. */
  readonly setsTerm: boolean;
  readonly env: Readonly<Record<string, string | null>>;
  readonly sandbox: DecidedSandbox;
  readonly detachable: DetachableRequest | undefined;
  /** Bytes of each stream that may be under way unacknowledged; Infinity without acknowledgements. */
  readonly windowBytes: number;
}

/** What a request has that says nothing of these. */
export const OWN_SURROUNDINGS = { inherited: undefined, arg0: undefined, setsTerm: true } as const;

/** Asks for a view of a detachable command. */
export interface ViewRequest {
  readonly processId: string;
  readonly key: string;
  readonly role: AttachmentRole;
  readonly takesOver: boolean;
  /** Offset of the first byte wanted of each stream; without one, the oldest that is kept. */
  readonly from: Readonly<Partial<Record<OutputName, number>>>;
  readonly wantsScreen: boolean;
  readonly size: TerminalSize | undefined;
  /** As {@link ExecRequest.windowBytes}. */
  readonly windowBytes: number;
}

/** Checks a size that came over the wire. @throws {RpcError} zeroSize */
export function terminalSize(size: { rows: number; cols: number }): TerminalSize {
  if (size.rows === 0 || size.cols === 0) throw rpcError('zeroSize');
  return size;
}

/** @throws {RpcError} the first refusal in the protocol's order; duplicate ids and failed starts are found later, by `CommandExec` */
export function decideExecRequest(
  params: MethodParams<'command/exec'>,
  ceilings: DetachableCeilings,
  settings: SandboxSettings = NO_SANDBOX_SETTINGS,
): ExecRequest {
  const [program, ...args] = params.command;
  const { processId, sandboxPolicy, timeoutMs } = params;
  const wantsTty = params.tty ?? false;
  if (program === undefined) throw rpcError('emptyCommand');
  if (isSet(sandboxPolicy) && isSet(params.permissionProfile)) throw rpcError('policyConflict');
  if (isSet(params.size) && !wantsTty) throw rpcError('sizeWithoutTty');
  if (isSet(params.outputBytesCap) && params.disableOutputCap === true) throw rpcError('conflictingOutputCap');
  if (isSet(timeoutMs) && params.disableTimeout === true) throw rpcError('conflictingTimeout');
  if (isSet(timeoutMs) && timeoutMs < 0) throw rpcError('negativeTimeout', { timeoutMs });
  const tty = wantsTty ? terminalSize(params.size ?? DEFAULT_SIZE) : undefined;
  if (isSet(params.permissionProfile)) throw rpcError('unsupportedSandbox', { field: 'permissionProfile' });
  const sandbox = decideSandbox(sandboxPolicy, settings);
  const streamStdin = wantsTty || params.streamStdin === true;
  const streamOutput = wantsTty || params.streamStdoutStderr === true;
  if (!isSet(processId) && (streamStdin || streamOutput)) throw rpcError('processIdRequired');
  if ((isSet(params.detachable) || isSet(params.window)) && !streamOutput) throw rpcError('streamingRequired');
  return {
    dialect: 'command/exec',
    metadata: undefined,
    argv: [program, ...args],
    processId: processId ?? undefined,
    tty,
    streamStdin,
    streamOutput,
    outputCapBytes:
      params.disableOutputCap === true ? Number.POSITIVE_INFINITY : (params.outputBytesCap ?? DEFAULT_OUTPUT_CAP_BYTES),
    timeoutMs: params.disableTimeout === true ? undefined : (timeoutMs ?? DEFAULT_TIMEOUT_MS),
    cwd: params.cwd ?? undefined,
    ...OWN_SURROUNDINGS,
    env: params.env ?? {},
    sandbox,
    detachable: isSet(params.detachable) ? decideDetachable(params.detachable, ceilings) : undefined,
    windowBytes: params.window?.bytes ?? Number.POSITIVE_INFINITY,
  };
}

/** @throws {RpcError} zeroSize, screenWithFrom */
export function decideViewRequest(params: MethodParams<'command/exec/attach'>): ViewRequest {
  const { processId, key, from, window } = params;
  const wantsScreen = params.screen === true;
  if (wantsScreen && isSet(from)) throw rpcError('screenWithFrom');
  return {
    processId,
    key,
    role: params.role ?? 'writer',
    takesOver: params.takeover === true,
    from: {
      ...(isSet(from?.stdout) ? { stdout: from.stdout } : {}),
      ...(isSet(from?.stderr) ? { stderr: from.stderr } : {}),
    },
    wantsScreen,
    size: isSet(params.size) ? terminalSize(params.size) : undefined,
    windowBytes: window?.bytes ?? Number.POSITIVE_INFINITY,
  };
}

/** @throws {RpcError} beyondCeiling, pauseKeepsNothing */
function decideDetachable(
  { key, ttlMs, replayBytes, whenFull }: NonNullable<MethodParams<'command/exec'>['detachable']>,
  { maxDetachedMs, maxReplayBytes }: DetachableCeilings,
): DetachableRequest {
  if (isSet(ttlMs) && ttlMs > maxDetachedMs) {
    throw rpcError('beyondCeiling', {
      field: 'detachable.ttlMs',
      value: ttlMs,
      ceiling: '--max-detached',
      max: maxDetachedMs,
    });
  }
  if (isSet(replayBytes) && replayBytes > maxReplayBytes) {
    const ceiling = '--max-replay-bytes';
    throw rpcError('beyondCeiling', {
      field: 'detachable.replayBytes',
      value: replayBytes,
      ceiling,
      max: maxReplayBytes,
    });
  }
  const waitsForWriter = whenFull === 'pause';
  if (waitsForWriter && replayBytes === 0) throw rpcError('pauseKeepsNothing');
  return {
    key,
    ttlMs: ttlMs ?? Math.min(DEFAULT_TTL_MS, maxDetachedMs),
    replayBytes: replayBytes ?? Math.min(DEFAULT_REPLAY_BYTES, maxReplayBytes),
    waitsForWriter,
  };
}

function isSet<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}
