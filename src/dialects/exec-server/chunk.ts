/** The bytes of `chunk` params. Knows no method. */
import { RpcError, rpcError } from '../../protocol/errors.js';
import { decodeBase64 } from '../command-exec/base64.js';

/** @throws {RpcError} invalidParams */
export function decodeChunk(chunk: string): Buffer {
  try {
    return decodeBase64(chunk);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw rpcError('invalidParams', { detail: error.message.replace(/^[^:]*: /, 'chunk: ') });
  }
}
