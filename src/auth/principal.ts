// Owns the one value that says who is at the other end of a connection. Knows neither how that was found out nor what it allows.

/** How a peer was let in: without a credential, by the shared token, by a signed token, or by being able to open the Unix socket. */
export type PrincipalKind = 'anonymous' | 'token' | 'jwt' | 'unix-peer';

/** Who is at the other end. One frozen value on the session, from the upgrade to the end of the connection. */
export interface Principal {
  readonly kind: PrincipalKind;
  /** The `sub` claim of a signed token. Absent for every other kind. */
  readonly subject?: string;
  /** All claims of a signed token, for decisions about scopes. Never logged. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /**
   * Milliseconds since the epoch from which the credential no longer opens a connection (the clock skew is already added). Absent if it does not
   * expire.
   */
  readonly expiresAtMs?: number;
}

/** Every client of a listener without authentication. */
export const ANONYMOUS: Principal = Object.freeze({ kind: 'anonymous' });

/** Every client with the capability token. The token itself is not part of the value. */
export const TOKEN_HOLDER: Principal = Object.freeze({ kind: 'token' });

/** Every client that the file mode of the Unix socket lets in. */
export const UNIX_PEER: Principal = Object.freeze({ kind: 'unix-peer' });

/** The principal of a verified signed token. Claims are frozen one level deep, because the server reads no deeper. */
export function jwtPrincipal(claims: Readonly<Record<string, unknown>>, expiresAtMs: number): Principal {
  const frozenClaims = Object.freeze({ ...claims });
  return Object.freeze({
    kind: 'jwt',
    claims: frozenClaims,
    expiresAtMs,
    ...(typeof claims.sub === 'string' ? { subject: claims.sub } : {}),
  });
}
