// Owns which key sets can be used to verify tokens. Knows neither files nor signatures.

import type { JSONWebKeySet } from 'jose';
import { CredentialFileError } from './secret-file.js';

/** Key types that have a public half. `oct` is left out on purpose: a shared secret in a key set would allow HS256. */
const PUBLIC_KEY_TYPES = new Set(['RSA', 'EC', 'OKP']);

/**
 * Reads a JSON Web Key Set of public keys (RFC 7517).
 * @param name Name of the set in messages: flag and path.
 * @throws {CredentialFileError} when it is no key set, is empty, or holds a key that is not public
 */
export function parseKeySet(contents: Buffer, name: string): JSONWebKeySet {
  const keys = keysOf(contents);
  if (keys === undefined) throw new CredentialFileError(`${name} is not a JSON Web Key Set`);
  if (keys.length === 0) throw new CredentialFileError(`${name} holds no keys`);
  const publicKeys = keys.map((key) => {
    if (typeof key.kty !== 'string' || !PUBLIC_KEY_TYPES.has(key.kty)) {
      throw new CredentialFileError(`${name} holds a key that is none of RSA, EC and OKP`);
    }
    if ('d' in key) throw new CredentialFileError(`${name} holds a private key; it must hold public keys only`);
    return { ...key, kty: key.kty };
  });
  return { keys: publicKeys };
}

function keysOf(contents: Buffer): Record<string, unknown>[] | undefined {
  let set: unknown;
  try {
    set = JSON.parse(contents.toString('utf8'));
  } catch {
    // The parser's message quotes the text, which may be a private key.
    return undefined;
  }
  if (!isObject(set) || !Array.isArray(set.keys) || !set.keys.every(isObject)) return undefined;
  return set.keys;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
