/**
 * Warns a client before its credential expires, and closes its connection when the credential has expired. Of a credential it knows only that date.
 */
import { EXPIRY_WARNING_MS, watchSessionExpiry } from '../auth/session-expiry.js';
import { closeCodes } from '../protocol/close-codes.js';
import type { Session } from './session.js';

/** Watches the credential of a session. @returns a function that stops watching; to be called when the connection has ended */
export function watchCredential(session: Session): () => void {
  const { expiresAtMs } = session.principal;
  if (expiresAtMs === undefined) return () => {};
  return watchSessionExpiry(expiresAtMs, {
    onExpiring: (leftMs) => warn(session, leftMs),
    onExpired: () => session.connection.close(closeCodes.policyViolation, 'credential expired'),
  });
}

/** To be called when a session has initialized, because a client cannot be warned before. */
export function warnIfExpiring(session: Session): void {
  const { expiresAtMs } = session.principal;
  if (expiresAtMs === undefined || expiresAtMs - Date.now() > EXPIRY_WARNING_MS) return;
  // AFTER the reply to `initialize`.
  setImmediate(() => warn(session, Math.max(0, expiresAtMs - Date.now())));
}

function warn(session: Session, expiresInMs: number): void {
  session.notify('server/authExpiring', { expiresInMs });
}
