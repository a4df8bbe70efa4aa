/** The one place where failures of files become errors of this dialect's wire. Knows no method. */
import { FileError } from '../../files/file-error.js';
import { type RpcError, rpcError } from '../../protocol/errors.js';

/** @returns the wire's error; an unexpected error is returned unchanged, and the connection answers it as an inner error */
export function asFileRpcError(error: unknown): unknown {
  return error instanceof FileError ? refusalOf(error) : error;
}

function refusalOf(error: FileError): RpcError {
  const { reason, errno, message } = error;
  if (reason === 'noRoom' && errno === undefined) return rpcError('serverOverloaded', { bound: 'watches' });
  // What the server itself refuses has no name of the operating system.
  if (errno === undefined) return rpcError('fileRefused', { detail: message, why: reason }, { cause: error });
  return rpcError('fileFailed', { detail: message, why: reason, errno }, { cause: error });
}
