/**
 * This machine's files as tar streams, for `cp`. A bundle of its own, because the other commands start faster without the code of archives. The `FileError`s
 * that it throws are therefore of another copy of that class: callers look at their name. Knows no server.
 */
import { PlainAccess } from '../files/plain-access.js';
import { SecretFiles } from '../files/secret-files.js';
import { packTar, type TarStream } from '../files/tar-pack.js';
import { type UnpackOptions, unpackTar } from '../files/tar-unpack.js';

const local = new PlainAccess(new SecretFiles([]));

/** Packs a folder or a file, as {@link packTar} does. */
export function packLocal(path: string, prefix?: string): Promise<TarStream> {
  return packTar(local, path, prefix === undefined ? {} : { prefix });
}

/** Unpacks into a folder, as {@link unpackTar} does. Links are kept as they are and never followed, so nothing is written elsewhere. */
export function unpackLocal(path: string, source: AsyncIterable<Buffer>, options: UnpackOptions = {}): Promise<void> {
  return unpackTar(local, { path, source }, { ...options, allowsLinksOut: true });
}
