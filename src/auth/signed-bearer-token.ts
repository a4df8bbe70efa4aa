// Owns the signature of a signed token (JWT): which keys and which algorithms are accepted. Does not know where in a request a token stands.

import { parseKeySet } from './jwks-file.js';
import { type ClaimRules, checkClaims } from './jwt-claims.js';
import { jwtPrincipal, type Principal } from './principal.js';
import { REFUSALS, type Refusal } from './refusals.js';
import { CredentialFileError, type OnWarning, openSecretFile } from './secret-file.js';

/** Source of the keys of signed tokens: a secret shared with the issuer, or the issuer's public keys. Never both. */
export type KeySource =
  | { readonly kind: 'shared-secret'; readonly path: string }
  | { readonly kind: 'jwks'; readonly path: string };

/** The verdict on one signed token. */
export type JwtVerdict =
  | { readonly ok: true; readonly principal: Principal }
  | { readonly ok: false; readonly message: Refusal };

/** Verifies signed tokens against its keys and rules. */
export interface SignedBearerToken {
  verify(token: string, nowMs?: number): Promise<JwtVerdict>;
}

/** Bytes. An HMAC secret that is shorter than its hash is the weakest part of it (RFC 7518, 3.2). */
const MIN_SHARED_SECRET_BYTES = 32;

/**
 * The algorithms of each key source. The source fixes them, never the token. A token signed with HS256 and a public key as its secret (key
 * confusion), or with `none`, names an algorithm that its source does not have.
 */
const SECRET_ALGORITHMS = ['HS256'];
const JWKS_ALGORITHMS = ['RS256', 'ES256', 'EdDSA', 'Ed25519'];

/**
 * Makes a verifier of signed tokens. Replaced key files take effect with the next request.
 * @throws {CredentialFileError} when the key file cannot be used
 */
export async function createSignedBearerToken(
  source: KeySource,
  rules: ClaimRules,
  onWarning: OnWarning,
): Promise<SignedBearerToken> {
  // Loaded here and not at the top, because most listeners have no signed tokens, and the start is faster without jose.
  const jose = await import('jose');
  const verifiedPayload =
    source.kind === 'shared-secret'
      ? sharedSecretVerifier(jose, source.path, onWarning)
      : keySetVerifier(jose, source.path, onWarning);

  return {
    async verify(token, nowMs = Date.now()) {
      let claims: Record<string, unknown>;
      try {
        claims = parseClaims(await verifiedPayload(token));
      } catch {
        // The reason why a signature is invalid would help only a forger.
        return { ok: false, message: REFUSALS.invalidJwt };
      }
      const verdict = checkClaims(claims, rules, nowMs);
      return verdict.ok ? { ok: true, principal: jwtPrincipal(claims, verdict.expiresAtMs) } : verdict;
    },
  };
}

type Jose = typeof import('jose');

/** Returns the payload of a token with a valid signature, and throws otherwise. */
type SignatureVerifier = (token: string) => Promise<Uint8Array>;

function sharedSecretVerifier(jose: Jose, path: string, onWarning: OnWarning): SignatureVerifier {
  const flag = '--ws-shared-secret-file';
  const secret = openSecretFile({
    flag,
    path,
    onWarning,
    parse(contents) {
      // As in the token file, white space around the secret comes from an editor, not from the issuer.
      const bytes = Buffer.from(contents.toString('utf8').trim(), 'utf8');
      if (bytes.length < MIN_SHARED_SECRET_BYTES) {
        throw new CredentialFileError(
          `signed websocket bearer secret ${path} (${flag}) must be at least ${MIN_SHARED_SECRET_BYTES} bytes`,
        );
      }
      return bytes;
    },
  });
  return async (token) =>
    (await jose.compactVerify(token, secret.current(), { algorithms: SECRET_ALGORITHMS })).payload;
}

function keySetVerifier(jose: Jose, path: string, onWarning: OnWarning): SignatureVerifier {
  const flag = '--ws-jwks-file';
  const parse = (contents: Buffer) => jose.createLocalJWKSet(parseKeySet(contents, `${flag} ${path}`));
  const keySet = openSecretFile({ flag, path, onWarning, parse });
  const options = { algorithms: JWKS_ALGORITHMS };
  return async (token) => {
    try {
      return (await jose.compactVerify(token, keySet.current(), options)).payload;
    } catch (error) {
      // A token without `kid` may fit several keys of the set, so each of them is tried.
      if (!(error instanceof jose.errors.JWKSMultipleMatchingKeys)) throw error;
      for await (const key of error) {
        try {
          return (await jose.compactVerify(token, key, options)).payload;
        } catch {
          // Not signed by this one, or a key that cannot be used, such as RSA of 1,024 bits: the next one may fit.
        }
      }
      throw error;
    }
  };
}

function parseClaims(payload: Uint8Array): Record<string, unknown> {
  const claims: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims))
    throw new TypeError('claims are no object');
  return { ...claims };
}
