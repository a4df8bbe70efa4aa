/**
 * From the params of `command/exec` to a decided request: the refusals in the protocol's order, and the defaults. Knows no process.
 * @see PROTOCOL "command/exec"
 */

import type { TerminalSize } from '../../process/os-process.js';
import { rpcError } from '../../protocol/errors.js';
import type { MethodParams } from '../../protocol/methods.js';
import { type DecidedSandbox, decideSandbox, NO_SANDBOX_SETTINGS, type SandboxSettings } from './sandbox-request.js';

/** Bytes captured or sent per stream when the request names no cap. */
const DEFAULT_OUTPUT_CAP_BYTES = 1024 * 1024;
/** Milliseconds until a command is killed when the request names no timeout. */
const DEFAULT_TIMEOUT_MS = 10_000;
/** Size of a terminal when the request names none: that of a VT100. */
const DEFAULT_SIZE: TerminalSize = { rows: 24, cols: 80 };

/** A request with everything decided. */
export interface ExecRequest {
  readonly argv: readonly [string, ...string[]];
  readonly processId: string | undefined;
  readonly tty: TerminalSize | undefined;
  readonly streamStdin: boolean;
  readonly streamOutput: boolean;
  /** Infinity for no cap. */
  readonly outputCapBytes: number;
  /** Undefined for no timeout. */
  readonly timeoutMs: number | undefined;
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string | null>>;
  readonly sandbox: DecidedSandbox;
}

/** Checks a size that came over the wire. @throws {RpcError} zeroSize */
export function terminalSize(size: { rows: number; cols: number }): TerminalSize {
  if (size.rows === 0 || size.cols === 0) throw rpcError('zeroSize');
  return size;
}

/** @throws {RpcError} the first refusal in the protocol's order; duplicate ids and spawning are the manager's */
export function decideExecRequest(
  params: MethodParams<'command/exec'>,
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
  return {
    argv: [program, ...args],
    processId: processId ?? undefined,
    tty,
    streamStdin,
    streamOutput,
    outputCapBytes:
      params.disableOutputCap === true ? Number.POSITIVE_INFINITY : (params.outputBytesCap ?? DEFAULT_OUTPUT_CAP_BYTES),
    timeoutMs: params.disableTimeout === true ? undefined : (timeoutMs ?? DEFAULT_TIMEOUT_MS),
    cwd: params.cwd ?? undefined,
    env: params.env ?? {},
    sandbox,
  };
}

function isSet<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}
