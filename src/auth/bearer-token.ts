// Owns where a bearer token may stand in an upgrade request, and which subprotocol is spoken. Does not know whether a token is valid.

import { REFUSALS, type Refusal } from './refusals.js';

/** The one subprotocol of this server. No other is ever sent back. */
export const SUBPROTOCOL = 'execwire.v1';

/**
 * Browsers cannot set headers on a WebSocket, so they offer the token as a second subprotocol: this prefix, then the token as base64url without
 * padding.
 */
export const BEARER_SUBPROTOCOL_PREFIX = 'execwire.bearer.';

/** The headers that are read: names in lower case, as in Node's `IncomingHttpHeaders`. */
export interface CredentialHeaders {
  readonly authorization?: string | undefined;
  readonly 'sec-websocket-protocol'?: string | undefined;
}

/** A credential as it was found, not yet checked. */
export type ExtractedToken =
  | { readonly ok: true; readonly token: string }
  | { readonly ok: false; readonly message: Refusal };

/** Visible ASCII and spaces. A client that follows RFC 6750 sends no other character. */
const PLAIN_FIELD_VALUE = /^[\x20-\x7e]*$/;

/** Scheme, at least one space, the rest. The scheme is case-insensitive (RFC 9110, 11.1). */
const BEARER_FIELD_VALUE = /^bearer +(.+)$/i;

/**
 * Finds the bearer token of an upgrade request, in `Authorization` or among the offered subprotocols. Both together are allowed if they are the same;
 * otherwise the request is ambiguous and refused. The URL is never searched, because URLs end up in logs.
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
 * Chooses the subprotocol of the answer. `ws` would send back the first one offered, which may be the token.
 * @returns {@link SUBPROTOCOL} if it was offered; otherwise false, which means no such header in the answer
 */
export function selectSubprotocol(offered: Iterable<string>): typeof SUBPROTOCOL | false {
  for (const name of offered) {
    if (name === SUBPROTOCOL) return SUBPROTOCOL;
  }
  return false;
}

function tokenOfAuthorization(value: string): string | undefined {
  if (!PLAIN_FIELD_VALUE.test(value)) return undefined;
  return BEARER_FIELD_VALUE.exec(value.trim())?.[1];
}

function tokenOfSubprotocol(offered: string): string | undefined {
  const encoded = offered.slice(BEARER_SUBPROTOCOL_PREFIX.length);
  const token = Buffer.from(encoded, 'base64url').toString('utf8');
  // Buffer skips characters that it cannot decode. Encoding again shows whether any was skipped, or was not UTF-8.
  return token !== '' && Buffer.from(token, 'utf8').toString('base64url') === encoded ? token : undefined;
}
