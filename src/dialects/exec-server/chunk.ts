/** The bytes of `chunk` params. Knows no method. */
import { rpcError } from '../../protocol/errors.js';
import { decodeBase64 } from '../command-exec/base64.js';

/** @throws {RpcError} invalidParams */
export function decodeChunk(chunk: string): Buffer {
  return decodeBase64(chunk, (detail) => rpcError('invalidParams', { detail: `chunk: ${detail}` }));
}
