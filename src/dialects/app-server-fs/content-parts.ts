/** The content of whole files in messages, of every dialect. Knows no file. */
import type { ReadBound } from '../../files/read-file.js';
import { rpcError } from '../../protocol/errors.js';
import { ResultParts } from '../../rpc/connection.js';
import { decodeBase64 } from '../command-exec/base64.js';

/** Bytes that are converted in one piece: a multiple of 3, so that the pieces of base64 can be joined. */
const PIECE_BYTES = 3 * 64 * 1024;

/** A file that is read takes its own size and that of its base64. */
const MEMORY_PER_BYTE = 7 / 3;

/** How much of a file may be read into a reply. @param maxBytes of the file; @param reserve is told the memory of the reply, in bytes, before it is taken */
export function contentBound(maxBytes: number, reserve: (bytes: number) => void): ReadBound {
  return { maxBytes, reserve: (bytes) => reserve(bytes * MEMORY_PER_BYTE) };
}

/** The result of `fs/readFile`, in pieces of JSON text: one string of a large file would hold up the server. */
export function contentParts(bytes: Buffer): ResultParts {
  const parts = [Buffer.from('{"dataBase64":"')];
  for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
    parts.push(Buffer.from(bytes.toString('base64', from, from + PIECE_BYTES), 'latin1'));
  }
  parts.push(Buffer.from('"}'));
  return new ResultParts(parts);
}

/** @throws {RpcError} invalidFileBase64 */
export function decodeContent(dataBase64: string): Buffer {
  return decodeBase64(dataBase64, (detail) => rpcError('invalidFileBase64', { detail }));
}
