/** Strict standard base64 (RFC 4648 section 4); Node's own decoder accepts nearly anything. */
import { type RpcError, rpcError } from '../../protocol/errors.js';

/** The wire's error for a text that is no base64. @param detail what is wrong with it */
type Refusal = (detail: string) => RpcError;

const invalidBase64: Refusal = (detail) => rpcError('invalidBase64', { detail });

/** @param refusal default: invalidBase64 @throws {RpcError} the refusal */
export function decodeBase64(text: string, refusal: Refusal = invalidBase64): Buffer {
  if (text.length % 4 !== 0) throw refusal(`length ${text.length} is not a multiple of 4`);
  const bytes = Buffer.from(text, 'base64');
  if (!isCanonical(text, bytes)) throw refusal('not canonical standard base64 (RFC 4648 section 4)');
  return bytes;
}

/**
 * Whether these bytes are exactly what the text encodes, in its only valid spelling. Node's decoder skips characters that are not base64, so a wrong
 * one shows in the length. It also accepts the two characters of the URL alphabet, and superfluous bits, which can only be in the last four
 * characters. Encoding everything again would tell the same and take as long as decoding.
 */
function isCanonical(text: string, bytes: Buffer): boolean {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  if (bytes.length !== (text.length / 4) * 3 - padding) return false;
  if (text.includes('-') || text.includes('_')) return false;
  const last = Math.max(0, Math.ceil(bytes.length / 3) * 3 - 3);
  return bytes.toString('base64', last) === text.slice(-4);
}
