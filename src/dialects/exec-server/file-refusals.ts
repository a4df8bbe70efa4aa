/** The one place where failures of files become errors of this dialect's wire. Knows no method. */
import { FileError } from '../../files/file-error.js';
import { rpcError } from '../../protocol/errors.js';

/** @returns the wire's error; an unexpected error is returned unchanged, and the connection answers it as an inner error */
export function asExecFileError(error: unknown): unknown {
  if (!(error instanceof FileError)) return error;
  const { reason, errno, message } = error;
  const data = { detail: message, why: reason, ...(errno === undefined ? {} : { errno }) };
  // An agent takes this code for "not found", so that nothing else may have it.
  if (reason === 'notFound' || reason === 'unknownHandle') return rpcError('fileNotFound', data, { cause: error });
  if (errno === undefined || reason === 'denied') return rpcError('fileRefused', data, { cause: error });
  return rpcError('fileFailed', data, { cause: error });
}
