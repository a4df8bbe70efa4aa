// Owns the one decision what a session may do. Knows no method table, no session and no transport.

import type { Principal } from './principal.js';

/** What {@link authorize} says. The reason is fit for a client to read. */
export type Decision = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

const ALLOWED: Decision = Object.freeze({ allowed: true });
const EXPIRED: Decision = Object.freeze({ allowed: false, reason: 'the credential of this connection has expired' });

/**
 * Decides whether a principal may do something. Every principal may do everything for as long as its credential is good: whoever
 * runs one command can run all. `action` (a method name such as `command/exec`) is here for scopes.
 *
 * The clock is looked at as well as the timer that closes the connection, so that a blocked event loop opens no gap.
 * @param nowMs Milliseconds since the epoch. Default: now.
 */
export function authorize(principal: Principal, _action: string, nowMs: number = Date.now()): Decision {
  return principal.expiresAtMs !== undefined && nowMs >= principal.expiresAtMs ? EXPIRED : ALLOWED;
}
