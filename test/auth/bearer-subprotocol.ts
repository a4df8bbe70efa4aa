/** The subprotocol that carries a token, as a client without headers offers it. */
import { BEARER_SUBPROTOCOL_PREFIX } from '../../src/auth/bearer-token.js';

export function bearerSubprotocol(token: string): string {
  return BEARER_SUBPROTOCOL_PREFIX + Buffer.from(token, 'utf8').toString('base64url');
}
