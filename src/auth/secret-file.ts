// Owns the last good contents of one file that may be replaced at any time. Does not know what the contents mean.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { isAbsolute } from 'node:path';

/** Called with a sentence for the log. It names files and errno names, never contents. */
export type OnWarning = (message: string) => void;

/** A start that cannot go on because a credential file is not usable. The message is for stderr and names flag and file. */
export class CredentialFileError extends Error {
  override readonly name = 'CredentialFileError';
}

/** What a {@link SecretFile} is made of. */
export interface SecretFileOptions<Value> {
  /** The flag that named the file, for messages. */
  readonly flag: string;
  /** Absolute path. */
  readonly path: string;
  /** Makes a value of the contents. Throws {@link CredentialFileError} when they are not usable. */
  readonly parse: (contents: Buffer) => Value;
  readonly onWarning: OnWarning;
}

/** A file of secrets that can be replaced while the server runs. */
export interface SecretFile<Value> {
  /** The value of the file as it is now, or the last good one when it is not usable at the moment. */
  current(): Value;
}

/** Bytes. The largest file that is read: a JWKS of several hundred keys has room, a wrong path to something huge does no harm. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Opens a file of secrets. It is read again at every use: a read costs about as much as comparing times of change would, much less
 * than the upgrade it belongs to, and no coarse clock of a file system can hide a change. Parsing happens only when the bytes differ.
 * A file that becomes unusable keeps its last good value and is reported once, until it is usable again.
 *
 * @throws {CredentialFileError} when the file cannot be used at the start.
 */
export function openSecretFile<Value>(options: SecretFileOptions<Value>): SecretFile<Value> {
  const { flag, path, parse, onWarning } = options;
  if (!isAbsolute(path)) throw new CredentialFileError(`${flag} must be an absolute path, got ${path}`);
  let contents = readContents(flag, path);
  let value = parse(contents);
  let reported: string | undefined;

  function refresh(): void {
    const latest = readContents(flag, path);
    if (latest.equals(contents)) return;
    value = parse(latest);
    contents = latest;
  }

  return {
    current() {
      try {
        refresh();
        reported = undefined;
      } catch (error) {
        const reason = error instanceof CredentialFileError ? error.message : `${flag} ${path} is not usable`;
        if (reason !== reported) onWarning(`${reason}; the last good contents stay in force`);
        reported = reason;
      }
      return value;
    },
  };
}

function readContents(flag: string, path: string): Buffer {
  try {
    return readRegularFile(path);
  } catch (error) {
    throw new CredentialFileError(`failed to read ${flag} ${path}: ${errorCode(error)}`);
  }
}

function readRegularFile(path: string): Buffer {
  // O_NONBLOCK: opening a named pipe must not wait for its writer.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw Object.assign(new Error(), { code: 'not a regular file' });
    if (stats.size > MAX_FILE_BYTES) throw Object.assign(new Error(), { code: 'too large' });
    const buffer = Buffer.alloc(stats.size);
    let length = 0;
    while (length < buffer.length) {
      const count = readSync(descriptor, buffer, length, buffer.length - length, length);
      if (count === 0) break;
      length += count;
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unreadable';
}
