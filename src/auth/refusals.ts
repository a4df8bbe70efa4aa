// Owns the texts of refused credentials. Knows no header and no status line.

/** The bodies of a 401. Existing clients match on them; none of them ever holds a part of a credential. */
export const REFUSALS = Object.freeze({
  missingToken: 'missing websocket bearer token',
  invalidToken: 'invalid websocket bearer token',
  invalidHeader: 'invalid authorization header',
  invalidJwt: 'invalid websocket jwt',
  expiredJwt: 'expired websocket jwt',
  jwtNotYetValid: 'websocket jwt is not valid yet',
  issuerMismatch: 'websocket jwt issuer mismatch',
  audienceMismatch: 'websocket jwt audience mismatch',
});

/** One of the texts of {@link REFUSALS}. */
export type Refusal = (typeof REFUSALS)[keyof typeof REFUSALS];
