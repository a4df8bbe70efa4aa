/** Absolute paths as bytes: reading them, taking them apart, putting them together. Touches no file. */
import { FileError } from './file-error.js';

/** A path as a caller has it. A string stands for its UTF-8; bytes may name anything that a file system can hold. */
export type FilePath = string | Buffer;

/** PATH_MAX of linux/limits.h, with its NUL. */
const MAX_PATH_BYTES = 4096;
/** NAME_MAX of linux/limits.h. */
const MAX_NAME_BYTES = 255;
const SLASH = '/';

/**
 * The path without `.`, `..`, repeated and trailing slashes. `..` is taken as text: `/a/link/..` is `/a` wherever the link leads.
 * @throws {FileError} `invalid` when it is not absolute or contains a NUL byte; `nameTooLong`
 */
export function absolutePath(path: FilePath): Buffer {
  const text = asLatin1(path);
  if (!text.startsWith(SLASH)) throw new FileError('invalid', 'the path is not absolute');
  if (text.includes('\0')) throw new FileError('invalid', 'the path contains a NUL byte');
  const names: string[] = [];
  for (const name of text.split(SLASH)) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  if (names.some((name) => name.length > MAX_NAME_BYTES)) throw tooLong();
  const clean = SLASH + names.join(SLASH);
  if (clean.length >= MAX_PATH_BYTES) throw tooLong();
  return Buffer.from(clean, 'latin1');
}

/** The folder and the last name of a clean path; the name of `/` is empty. */
export function splitPath(path: Buffer): { readonly folder: Buffer; readonly name: Buffer } {
  const at = path.lastIndexOf(SLASH);
  return { folder: at <= 0 ? Buffer.from(SLASH) : path.subarray(0, at), name: path.subarray(at + 1) };
}

/** A clean path with one more name, or a relative path, behind it. */
export function joinPath(folder: Buffer, name: Buffer): Buffer {
  const slash = folder.length === 1 && folder[0] === SLASH.charCodeAt(0) ? '' : SLASH;
  return Buffer.concat([folder, Buffer.from(slash), name]);
}

/** The part of a clean path below another clean path: empty for the path itself; undefined if it is not below. */
export function pathBelow(path: Buffer, folder: Buffer): Buffer | undefined {
  if (folder.equals(Buffer.from(SLASH))) return path.subarray(1);
  if (!path.subarray(0, folder.length).equals(folder)) return undefined;
  if (path.length === folder.length) return Buffer.alloc(0);
  return path[folder.length] === SLASH.charCodeAt(0) ? path.subarray(folder.length + 1) : undefined;
}

/** Refuses what is not the name of one entry: empty, `.`, `..`, with a slash or a NUL byte. @throws {FileError} */
export function checkName(name: Buffer): void {
  const text = name.toString('latin1');
  if (text === '' || text === '.' || text === '..' || /[/\0]/.test(text)) {
    throw new FileError('invalid', 'a name of an entry may not be empty, "." or "..", nor contain "/" or a NUL byte');
  }
  if (name.length > MAX_NAME_BYTES) throw tooLong();
}

function asLatin1(path: FilePath): string {
  return (typeof path === 'string' ? Buffer.from(path) : path).toString('latin1');
}

function tooLong(): FileError {
  return new FileError('nameTooLong', 'File name too long (os error 36)', { errno: 'ENAMETOOLONG' });
}
