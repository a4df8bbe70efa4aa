// Decides who asks for an upgrade: headers in, principal or refusal out. Knows no server, no session and no origin.

import { type AuthListener, type AuthOptions, DEFAULT_CLOCK_SKEW_SECONDS } from './auth-options.js';
import { type CredentialHeaders, extractBearerToken } from './bearer-token.js';
import { capabilityTokenOfDigest, capabilityTokenOfFile } from './capability-token.js';
import { ANONYMOUS, type Principal, TOKEN_HOLDER, UNIX_PEER } from './principal.js';
import { REFUSALS, type Refusal } from './refusals.js';
import type { OnWarning } from './secret-file.js';
import { createSignedBearerToken, type KeySource } from './signed-bearer-token.js';

/** The answer to an upgrade request. `message` is the whole body of the 401. */
export type AuthResult =
  | { readonly ok: true; readonly principal: Principal }
  | { readonly ok: false; readonly status: 401; readonly message: Refusal };

/** Authenticates upgrade requests. Never throws, and never reveals a part of a credential. */
export interface Authenticator {
  authenticate(headers: CredentialHeaders): Promise<AuthResult>;
}

type VerifyToken = (token: string) => Promise<AuthResult> | AuthResult;

/**
 * Makes the authenticator of a listener. The options must have passed `validateAuthOptions`. A Unix socket is protected by its file mode; if a mode
 * of authentication is set too, its clients need the credential like all others.
 * @throws {CredentialFileError} when a credential file cannot be used
 */
export async function createAuthenticator(
  options: AuthOptions,
  listener: AuthListener,
  onWarning: OnWarning,
): Promise<Authenticator> {
  switch (options.mode) {
    case undefined:
    case 'none': {
      const result: AuthResult = { ok: true, principal: listener.kind === 'unix' ? UNIX_PEER : ANONYMOUS };
      return { authenticate: async () => result };
    }
    case 'capability-token':
      return bearerAuthenticator(verifyCapabilityToken(options, onWarning));
    case 'signed-bearer-token':
      return bearerAuthenticator(await verifySignedBearerToken(options, onWarning));
  }
}

function bearerAuthenticator(verify: VerifyToken): Authenticator {
  return {
    async authenticate(headers) {
      const extracted = extractBearerToken(headers);
      return extracted.ok ? verify(extracted.token) : refused(extracted.message);
    },
  };
}

function verifyCapabilityToken(options: AuthOptions, onWarning: OnWarning): VerifyToken {
  const { tokenFile, tokenSha256 } = options;
  const expected =
    tokenSha256 === undefined
      ? capabilityTokenOfFile(required('--ws-token-file', tokenFile), onWarning)
      : capabilityTokenOfDigest(tokenSha256);
  return (token) => (expected.matches(token) ? { ok: true, principal: TOKEN_HOLDER } : refused(REFUSALS.invalidToken));
}

async function verifySignedBearerToken(options: AuthOptions, onWarning: OnWarning): Promise<VerifyToken> {
  const { sharedSecretFile, jwksFile, issuer, audience } = options;
  const source: KeySource =
    jwksFile === undefined
      ? { kind: 'shared-secret', path: required('--ws-shared-secret-file', sharedSecretFile) }
      : { kind: 'jwks', path: jwksFile };
  const clockSkewSeconds = options.maxClockSkewSeconds ?? DEFAULT_CLOCK_SKEW_SECONDS;
  const signedBearerToken = await createSignedBearerToken(source, { issuer, audience, clockSkewSeconds }, onWarning);
  return async (token) => {
    const verdict = await signedBearerToken.verify(token);
    return verdict.ok ? verdict : refused(verdict.message);
  };
}

function refused(message: Refusal): AuthResult {
  return { ok: false, status: 401, message };
}

function required(flag: string, value: string | undefined): string {
  if (value === undefined) throw new TypeError(`${flag} is missing: the options were not validated`);
  return value;
}
