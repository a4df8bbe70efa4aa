// Checks what a signed token says about its time, its issuer and its audience. Does not know how it is signed.

import { REFUSALS, type Refusal } from './refusals.js';

/** What the claims of a token must satisfy. */
export interface ClaimRules {
  /** The required `iss`. Undefined: any, or none. */
  readonly issuer?: string | undefined;
  /** The required `aud`, alone or among others. Undefined: any, or none. */
  readonly audience?: string | undefined;
  /** Seconds by which the clocks of issuer and server may differ, in either direction. */
  readonly clockSkewSeconds: number;
}

/** The verdict on the claims of one token. */
export type ClaimsVerdict =
  | { readonly ok: true; readonly expiresAtMs: number }
  | { readonly ok: false; readonly message: Refusal };

/**
 * Milliseconds since the epoch: the last moment of a JavaScript date. A later expiry is a mistake of the issuer, and timers and logs could not use
 * it.
 */
const LAST_DATE_MS = 8.64e15;

/**
 * Checks the claims of a token whose signature is valid. The order is shape, `exp`, `nbf`, `iss`, `aud`, and the first failure is reported. `exp` is
 * required, because a token without an end cannot be taken back.
 * @see https://www.rfc-editor.org/rfc/rfc7519#section-4.1
 */
export function checkClaims(
  claims: Readonly<Record<string, unknown>>,
  rules: ClaimRules,
  nowMs: number = Date.now(),
): ClaimsVerdict {
  const { exp, nbf, iss, aud } = claims;
  if (!isNumericDate(exp)) return refused(REFUSALS.invalidJwt);
  if (nbf !== undefined && !isNumericDate(nbf)) return refused(REFUSALS.invalidJwt);
  if (iss !== undefined && typeof iss !== 'string') return refused(REFUSALS.invalidJwt);
  if (aud !== undefined && !isAudience(aud)) return refused(REFUSALS.invalidJwt);

  const skewMs = rules.clockSkewSeconds * 1000;
  const expiresAtMs = exp * 1000 + skewMs;
  if (nowMs >= expiresAtMs) return refused(REFUSALS.expiredJwt);
  if (nbf !== undefined && nowMs < nbf * 1000 - skewMs) return refused(REFUSALS.jwtNotYetValid);
  if (rules.issuer !== undefined && iss !== rules.issuer) return refused(REFUSALS.issuerMismatch);
  if (rules.audience !== undefined && ![aud].flat().includes(rules.audience)) return refused(REFUSALS.audienceMismatch);
  return { ok: true, expiresAtMs };
}

function refused(message: Refusal): ClaimsVerdict {
  return { ok: false, message };
}

function isNumericDate(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value * 1000) <= LAST_DATE_MS;
}

function isAudience(value: unknown): value is string | string[] {
  return typeof value === 'string' || (Array.isArray(value) && value.every((entry) => typeof entry === 'string'));
}
