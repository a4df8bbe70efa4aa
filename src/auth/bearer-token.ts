// Owns where a bearer token may stand in an upgrade request, and which subprotocol is spoken. Does not know whether a token is good.

import { REFUSALS, type Refusal } from './refusals.js';

/** The one subprotocol this server speaks. It is the only one that is ever echoed. */
export const SUBPROTOCOL = 'execwire.v1';

/**
 * Browsers cannot set headers on a WebSocket, so they offer the token as a second subprotocol: this prefix, then the token as
 * base64url without padding.
 */
export const BEARER_SUBPROTOCOL_PREFIX = 'execwire.bearer.';

/** The request headers that are looked at: names in lower case, as Node's `IncomingHttpHeaders` has them. */
export interface CredentialHeaders {
  readonly authorization?: string | undefined;
  readonly 'sec-websocket-protocol'?: string | undefined;
}

/** A credential as it was found, not yet checked. */
export type ExtractedToken =
  | { readonly ok: true; readonly token: string }
  | { readonly ok: false; readonly message: Refusal };

/** Visible ASCII and spaces. Whatever else a field value holds was not put there by a client that follows RFC 6750. */
const PLAIN_FIELD_VALUE = /^[\x20-\x7e]*$/;

/** Scheme, at least one space, the rest. The scheme is case-insensitive (RFC 9110, 11.1). */
const BEARER_FIELD_VALUE = /^bearer +(.+)$/i;

/**
 * Finds the bearer token of an upgrade request, in `Authorization` or among the offered subprotocols. Both at once is fine when they
 * are the same; otherwise it is not clear who asks, and the request is refused. The address is never looked at: URLs end up in logs.
 */
export function extractBearerToken(headers: CredentialHeaders): ExtractedToken {
  const found: string[] = [];
  if (headers.authorization !== undefined) {
    const token = tokenOfAuthorization(headers.authorization);
    if (token === undefined) return { ok: false, message: REFUSALS.invalidHeader };
    found.push(token);
  }
  for (const name of (headers['sec-websocket-protocol'] ?? '').split(',')) {
    const offered = name.trim();
    if (!offered.startsWith(BEARER_SUBPROTOCOL_PREFIX)) continue;
    const token = tokenOfSubprotocol(offered);
    if (token === undefined) return { ok: false, message: REFUSALS.invalidToken };
    found.push(token);
  }
  const [first, ...others] = found;
  if (first === undefined) return { ok: false, message: REFUSALS.missingToken };
  if (others.some((other) => other !== first)) return { ok: false, message: REFUSALS.invalidHeader };
  return { ok: true, token: first };
}

/**
 * Chooses the subprotocol of the answer. `ws` would echo the first one offered, which may be the token.
 * @returns {@link SUBPROTOCOL} when it was offered, otherwise false: no such header in the answer.
 */
export function selectSubprotocol(offered: Iterable<string>): typeof SUBPROTOCOL | false {
  for (const name of offered) {
    if (name === SUBPROTOCOL) return SUBPROTOCOL;
  }
  return false;
}

/** The subprotocol that carries a token, for clients that cannot set headers. */
export function bearerSubprotocol(token: string): string {
  return BEARER_SUBPROTOCOL_PREFIX + Buffer.from(token, 'utf8').toString('base64url');
}

function tokenOfAuthorization(value: string): string | undefined {
  if (!PLAIN_FIELD_VALUE.test(value)) return undefined;
  return BEARER_FIELD_VALUE.exec(value.trim())?.[1];
}

function tokenOfSubprotocol(offered: string): string | undefined {
  const encoded = offered.slice(BEARER_SUBPROTOCOL_PREFIX.length);
  const token = Buffer.from(encoded, 'base64url').toString('utf8');
  // Buffer skips what it cannot decode. Encoding again shows whether anything was skipped, or was no UTF-8.
  return token !== '' && Buffer.from(token, 'utf8').toString('base64url') === encoded ? token : undefined;
}
