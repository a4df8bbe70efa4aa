// Owns the shared token and its comparison. Does not know where in a request a token stands.

import { createHash, timingSafeEqual } from 'node:crypto';
import { CredentialFileError, type OnWarning, openSecretFile } from './secret-file.js';

/** Checks a token in a time that does not depend on how much of it is right. */
export interface CapabilityToken {
  matches(token: string): boolean;
}

/** 64 hexadecimal digits: a SHA-256 digest. */
const SHA256_HEX = /^[0-9a-f]{64}$/i;

/** Whether a text is a SHA-256 digest in hexadecimal. */
export function isSha256Hex(text: string): boolean {
  return SHA256_HEX.test(text);
}

/**
 * The token in a file. White space around it is ignored. A replaced file takes effect with the next request.
 * @throws {CredentialFileError} when the file cannot be read or is empty
 */
export function capabilityTokenOfFile(path: string, onWarning: OnWarning): CapabilityToken {
  const flag = '--ws-token-file';
  const digest = openSecretFile({
    flag,
    path,
    onWarning,
    parse(contents) {
      const token = contents.toString('utf8').trim();
      if (token === '') throw new CredentialFileError(`${flag} ${path} must not be empty`);
      return sha256(token);
    },
  });
  return { matches: (token) => hasDigest(token, digest.current()) };
}

/** A token of which only the SHA-256 digest is known. @param digestHex 64 hexadecimal digits, see {@link isSha256Hex} */
export function capabilityTokenOfDigest(digestHex: string): CapabilityToken {
  const digest = Buffer.from(digestHex, 'hex');
  return { matches: (token) => hasDigest(token, digest) };
}

function hasDigest(token: string, digest: Buffer): boolean {
  // Digests have one length, so the comparison reveals nothing about the length of the token either.
  return timingSafeEqual(sha256(token), digest);
}

function sha256(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}
