// Owns the last good content of one file that may be replaced at any time. Does not know what the content means.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { isAbsolute } from 'node:path';

/** Called with a sentence for the log. It names files and errno names, never contents. */
export type OnWarning = (message: string) => void;

/** The server cannot start because a credential file is not usable. The message is for stderr and names flag and file. */
export class CredentialFileError extends Error {
  override readonly name = 'CredentialFileError';
}

/** What a {@link SecretFile} needs. */
export interface SecretFileOptions<Value> {
  /** The flag that named the file, for messages. */
  readonly flag: string;
  /** Absolute path. */
  readonly path: string;
  /** Makes a value of the content. Throws {@link CredentialFileError} if it is not usable. */
  readonly parse: (contents: Buffer) => Value;
  readonly onWarning: OnWarning;
}

/** A file of secrets that can be replaced while the server runs. */
export interface SecretFile<Value> {
  /** The present value of the file, or the last good one while the file is not usable. */
  current(): Value;
}

/** Bytes. The largest file that is read. A key set of several hundred keys fits, and a wrong path to a huge file does no harm. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Opens a file of secrets. It is read again at every use: that costs about as much as comparing modification times, much less than the upgrade it
 * belongs to, and no change can be missed. It is parsed only when the bytes differ. A file that becomes unusable keeps its last good value, and is
 * reported once until it is usable again.
 *
 * @throws {CredentialFileError} when the file cannot be used at the start
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
    throw unreadableFile(flag, path, errorCode(error));
  }
}

/** The error for a file of a secret that cannot be read. @param code of the system, or what is wrong with the file */
export function unreadableFile(flag: string, path: string, code: string): CredentialFileError {
  const advice =
    code === 'EACCES' ? `: uid ${process.geteuid?.()}, gid ${process.getegid?.()} must be able to read it` : '';
  return new CredentialFileError(`failed to read ${flag} ${path}: ${code}${advice}`);
}

function readRegularFile(path: string): Buffer {
  // O_NONBLOCK, because opening a named pipe must not wait for its writer.
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
