/** Makes the subprotocol that carries a token, as a client that cannot set headers offers it. Knows no server. */
import { BEARER_SUBPROTOCOL_PREFIX } from '../../src/auth/bearer-token.js';

export function bearerSubprotocol(token: string): string {
  return BEARER_SUBPROTOCOL_PREFIX + Buffer.from(token, 'utf8').toString('base64url');
}
