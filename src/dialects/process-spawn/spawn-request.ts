/** From the params of `process/spawn` to a decided request: the refusals in the protocol's order, and the defaults. Knows no process. */
import { isAbsolute } from 'node:path';
import { rpcError } from '../../protocol/errors.js';
import type { MethodParams } from '../../protocol/methods.js';
import {
  DEFAULT_OUTPUT_CAP_BYTES,
  DEFAULT_SIZE,
  DEFAULT_TIMEOUT_MS,
  type ExecRequest,
  OWN_SURROUNDINGS,
} from '../command-exec/exec-request.js';
import { decideSandbox, NO_SANDBOX_SETTINGS, type SandboxSettings } from '../command-exec/sandbox-request.js';

type Size = MethodParams<'process/resizePty'>['size'];

/** @throws {RpcError} spawnZeroSize */
export function spawnSize(size: Size): Size {
  if (size.rows === 0 || size.cols === 0) throw rpcError('spawnZeroSize');
  return size;
}

/** @throws {RpcError} the first refusal in the protocol's order; duplicate handles and failed starts are found later */
export function decideSpawnRequest(
  params: MethodParams<'process/spawn'>,
  settings: SandboxSettings = NO_SANDBOX_SETTINGS,
): ExecRequest {
  const [program, ...args] = params.command;
  const { processHandle, cwd, env, size, timeoutMs, outputBytesCap } = params;
  const wantsTty = params.tty ?? false;
  if (!isAbsolute(cwd)) throw rpcError('relativeDirectory', { cwd });
  if (program === undefined) throw rpcError('emptyCommand');
  if (processHandle === '') throw rpcError('emptyProcessHandle');
  if (size != null && !wantsTty) throw rpcError('spawnSizeWithoutTty');
  if (timeoutMs != null && timeoutMs < 0) throw rpcError('spawnNegativeTimeout', { timeoutMs });
  return {
    dialect: 'process/spawn',
    metadata: undefined,
    argv: [program, ...args],
    processId: processHandle,
    tty: wantsTty ? spawnSize(size ?? DEFAULT_SIZE) : undefined,
    streamStdin: wantsTty || params.streamStdin === true,
    streamOutput: wantsTty || params.streamStdoutStderr === true,
    // Null is not the same as absent here: it asks for none.
    outputCapBytes: outputBytesCap === null ? Number.POSITIVE_INFINITY : (outputBytesCap ?? DEFAULT_OUTPUT_CAP_BYTES),
    timeoutMs: timeoutMs === null ? undefined : (timeoutMs ?? DEFAULT_TIMEOUT_MS),
    cwd,
    ...OWN_SURROUNDINGS,
    env: env ?? {},
    sandbox: decideSandbox(undefined, settings),
    detachable: undefined,
    windowBytes: Number.POSITIVE_INFINITY,
  };
}
