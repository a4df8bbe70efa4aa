/** Names a principal across connections, for what belongs to a principal and not to a connection. Knows no connection. */
import { createHash } from 'node:crypto';
import type { Principal } from './principal.js';

/**
 * One text for one principal: a signed token's issuer and subject together, and without a subject the token itself. Everybody who came in by
 * the shared token, without a credential, or by the Unix socket is one principal each.
 */
export function principalKey({ kind, claims }: Principal): string {
  if (kind !== 'jwt') return kind;
  const { iss, sub, jti } = claims ?? {};
  if (typeof sub === 'string') return JSON.stringify([kind, 'sub', iss ?? null, sub]);
  if (typeof jti === 'string') return JSON.stringify([kind, 'jti', iss ?? null, jti]);
  const digest = createHash('sha256')
    .update(JSON.stringify(claims ?? {}))
    .digest('base64url');
  return JSON.stringify([kind, 'digest', digest]);
}
