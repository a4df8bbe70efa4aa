/** The one decision what a principal may do. Every method and every route asks it. Knows no method, no session and no transport. */
import type { Principal } from '../auth/principal.js';

/** What a request does, as a right that can be given: each row of the method table and each route names one. */
export type Action = 'connect' | 'exec' | 'observe' | 'files:read' | 'files:write' | 'metrics';

/** The result of {@link mayDo}. The reason may be shown to a client. */
export type Decision = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

const ALLOWED: Decision = Object.freeze({ allowed: true });
const EXPIRED: Decision = Object.freeze({ allowed: false, reason: 'the credential of this connection has expired' });

/**
 * Decides whether a principal may do something. Every principal may do everything while its credential is valid, because a client that can run one
 * command can run all, and can read and write files by commands.
 *
 * The clock is checked in addition to the timer that closes the connection, so that a blocked event loop opens no gap.
 * @param nowMs Milliseconds since the epoch. Default: now.
 */
export function mayDo(principal: Principal, _action: Action, nowMs: number = Date.now()): Decision {
  return principal.expiresAtMs !== undefined && nowMs >= principal.expiresAtMs ? EXPIRED : ALLOWED;
}
