// Makes signed tokens (HS256) for tests. Verifies nothing.

import { createHmac } from 'node:crypto';

/** A JWT with these claims. @param secret shared with the server */
export function signedToken(claims: Readonly<Record<string, unknown>>, secret: string): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
