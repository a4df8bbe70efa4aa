// Owns the one decision what a session may do. Knows no method table, no session and no transport.

import type { Principal } from './principal.js';

/** The result of {@link authorize}. The reason may be shown to a client. */
export type Decision = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

const ALLOWED: Decision = Object.freeze({ allowed: true });
const EXPIRED: Decision = Object.freeze({ allowed: false, reason: 'the credential of this connection has expired' });

/**
 * Decides whether a principal may do something. Every principal may do everything while its credential is valid, because a client that can run one
 * command can run all. `action` (a method name such as `command/exec`) is there for scopes.
 *
 * The clock is checked in addition to the timer that closes the connection, so that a blocked event loop opens no gap.
 * @param nowMs Milliseconds since the epoch. Default: now.
 */
export function authorize(principal: Principal, _action: string, nowMs: number = Date.now()): Decision {
  return principal.expiresAtMs !== undefined && nowMs >= principal.expiresAtMs ? EXPIRED : ALLOWED;
}
