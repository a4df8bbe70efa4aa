/** The one place where errors of the operating system and refusals of commands become errors of this dialect's wire. */
import { CommandError, type CommandErrorDetails, type CommandErrorReason } from '../../commands/command-error.js';
import { ShortageError, SpawnError } from '../../process/os-process.js';
import { SandboxThreadsError, SandboxUnavailableError } from '../../process/sandbox/sandbox-errors.js';
import { type RpcError, rpcError } from '../../protocol/errors.js';

const REFUSALS: { readonly [R in CommandErrorReason]: (details: CommandErrorDetails[R]) => RpcError } = {
  inputClosed: () => rpcError('stdinClosed'),
  inputFull: () => rpcError('serverOverloaded', { bound: 'maxStdinBytes' }),
  inputGap: ({ offset, next }) => rpcError('stdinGap', { offset, next }),
  noRoom: ({ bound }) => rpcError('serverOverloaded', { bound }),
  keyConflict: ({ key }) => rpcError('keyConflict', { key }),
  keyNotFound: ({ key }) => rpcError('keyNotFound', { key }),
  stillRunning: ({ key }) => rpcError('stillRunning', { key }),
  writerPresent: () => rpcError('writerPresent'),
  offsetAhead: ({ stream, offset, next }) => rpcError('offsetAhead', { stream, offset, next }),
  detached: ({ why }) => rpcError('detached', { why }),
};

/** @returns the wire's error; an unexpected error is returned unchanged, and the connection answers it as an inner error */
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
  return error instanceof CommandError ? refusalOf(error) : error;
}

function refusalOf<R extends CommandErrorReason>({ reason, details }: CommandError<R>): RpcError {
  return REFUSALS[reason](details);
}
