/** Names of files and folders that are being written and have no name of their own yet. Touches no file. */
import { randomBytes } from 'node:crypto';

/** Twelve characters of base64url. */
const RANDOM_BYTES = 9;
const TEMPORARY = /^\.execwire-[A-Za-z0-9_-]{12}\.tmp$/;

/** A name that nothing else has. A server that is killed leaves it behind. */
export function temporaryName(): Buffer {
  return Buffer.from(`.execwire-${randomBytes(RANDOM_BYTES).toString('base64url')}.tmp`);
}

/** Whether a name is one of those. */
export function isTemporaryName(name: Buffer): boolean {
  return TEMPORARY.test(name.toString('latin1'));
}
