/** Names a principal across connections, for things that belong to a principal and not to a connection. Knows no connection. */
import { createHash } from 'node:crypto';
import type { Principal } from './principal.js';

/**
 * One text for one principal: issuer and subject of a signed token, or the token itself if it has no subject. All clients with the shared token are
 * one principal; so are all clients without a credential, and all clients of the Unix socket.
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
