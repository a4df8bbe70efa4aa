/** The one place where failures of files become errors of this dialect's wire. Knows no method. */
import { FileError } from '../../files/file-error.js';
import { type RpcError, rpcError } from '../../protocol/errors.js';

/** The reference's texts, by the reason. */
const COPY_REFUSALS: ReadonlyMap<string, string> = new Map([
  ['isADirectory', 'fs/copy requires recursive: true when sourcePath is a directory'],
  ['invalid', 'fs/copy cannot copy a directory to itself or one of its descendants'],
  ['notAFile', 'fs/copy only supports regular files, directories, and symlinks'],
]);

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

/** Refusals of the file itself name it, as in the reference. */
export function namingFile(error: unknown, path: string | Buffer): unknown {
  if (!(error instanceof FileError) || error.reason !== 'notAFile') return error;
  return rpcError('fileRefused', { detail: `path \`${path}\` is not a file`, why: error.reason }, { cause: error });
}

/** The reference's texts for a copy that is refused. */
export function copyRefusal(error: unknown): unknown {
  if (!(error instanceof FileError) || error.errno !== undefined) return error;
  const text = COPY_REFUSALS.get(error.reason);
  return text === undefined ? error : rpcError('fileRefused', { detail: text, why: error.reason }, { cause: error });
}
