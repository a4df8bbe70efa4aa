/** Strict standard base64 (RFC 4648 section 4), where Node's own decoder takes nearly anything. */
import { rpcError } from '../../protocol/errors.js';

/** @throws {RpcError} invalidBase64 */
export function decodeBase64(text: string): Buffer {
  if (text.length % 4 !== 0)
    throw rpcError('invalidBase64', { detail: `length ${text.length} is not a multiple of 4` });
  const bytes = Buffer.from(text, 'base64');
  // Wrong characters, missing padding and stray bits all show as another spelling.
  if (bytes.toString('base64') !== text) {
    throw rpcError('invalidBase64', { detail: 'not canonical standard base64 (RFC 4648 section 4)' });
  }
  return bytes;
}
