// Owns a key pair for signed tokens, as servers of this test are given them. Knows no server.
import { generateKeyPairSync, sign as signBytes } from 'node:crypto';

/** Seconds that a token is good for. */
const LIFE_SECONDS = 600;

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/**
 * A key pair for ES256.
 * @returns {{ jwks: object, sign: (claims: object) => string }} the public key as a key set, and what makes a token of claims
 */
export function newCredential() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'test', alg: 'ES256', use: 'sig' }] };
  const sign = (claims) => {
    const all = { sub: 'test', exp: Math.floor(Date.now() / 1000) + LIFE_SECONDS, ...claims };
    const text = `${encoded({ alg: 'ES256', typ: 'JWT', kid: 'test' })}.${encoded(all)}`;
    const signature = signBytes('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${text}.${signature.toString('base64url')}`;
  };
  return { jwks, sign };
}
