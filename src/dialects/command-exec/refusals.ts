/** The one place where errors of the operating system and refusals of commands become errors of this dialect's wire. */
import { CommandError, type CommandErrorReason } from '../../commands/command-error.js';
import { ShortageError, SpawnError } from '../../process/os-process.js';
import { SandboxThreadsError, SandboxUnavailableError } from '../../process/sandbox/sandbox-errors.js';
import { type RpcError, rpcError } from '../../protocol/errors.js';

const REFUSALS: Readonly<Record<CommandErrorReason, () => RpcError>> = {
  inputClosed: () => rpcError('stdinClosed'),
  inputFull: () => rpcError('serverOverloaded', { bound: 'maxStdinBytes' }),
};

/** @returns the wire's error, or what came in when it is a fault and no refusal: the connection answers that as an inner error */
export function asRpcError(error: unknown): unknown {
  if (error instanceof SpawnError) {
    return rpcError('spawnFailed', { detail: error.message, errno: error.errno }, { cause: error });
  }
  if (error instanceof ShortageError) return rpcError('serverOverloaded', { bound: error.bound }, { cause: error });
  if (error instanceof SandboxUnavailableError) {
    return rpcError('sandboxUnavailable', { detail: error.message, missing: error.missing }, { cause: error });
  }
  if (error instanceof SandboxThreadsError) {
    return rpcError('serverOverloaded', { bound: 'sandboxWorkers' }, { cause: error });
  }
  return error instanceof CommandError ? REFUSALS[error.reason]() : error;
}

type AnyHandler = (params: never, caller: never, call: never) => unknown;

/** The same handlers, whose errors are those of the wire. */
export function refusing<T extends Readonly<Record<string, AnyHandler>>>(handlers: T): T {
  const wrapped = Object.entries(handlers).map(([name, handler]) => [name, refusingOne(handler)]);
  return Object.fromEntries(wrapped) as T;
}

function refusingOne(handler: AnyHandler): AnyHandler {
  return (params, caller, call) => {
    try {
      const result = handler(params, caller, call);
      return result instanceof Promise ? result.catch(throwAsRpcError) : result;
    } catch (error) {
      return throwAsRpcError(error);
    }
  };
}

function throwAsRpcError(error: unknown): never {
  throw asRpcError(error);
}
