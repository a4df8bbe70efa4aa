/** Copies files, folders and symbolic links. Knows no wire. */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, readlink, symlink } from 'node:fs/promises';
import { createDirectory } from './create-directory.js';
import { type Entry, type FileAccess, type Folder, holding } from './file-access.js';
import { errnoOf, FileError, filing } from './file-error.js';
import { absolutePath, type FilePath, joinPath, pathBelow } from './file-path.js';
import { entriesOf } from './read-directory.js';
import { openRegular } from './read-file.js';
import { MAX_DEPTH } from './remove.js';
import { beginWrite, type PendingFile } from './write-file.js';

/** Bytes that are in memory at a time. */
const CHUNK_BYTES = 256 * 1024;
const MODE_BITS = 0o777n;

export interface CopyOptions {
  /** Required for a folder. Its entries are put into the destination, which may be there. */
  readonly recursive: boolean;
}

/**
 * Copies a file with its mode, a symbolic link as a link, or a folder.
 * @throws {FileError} `isADirectory` for a folder without `recursive`; `invalid` for a folder into itself; `notAFile` for anything else, such as a pipe
 */
export function copy(
  access: FileAccess,
  { from, to }: { readonly from: FilePath; readonly to: FilePath },
  { recursive }: CopyOptions,
): Promise<void> {
  return filing(async () => {
    const source = absolutePath(from);
    const destination = absolutePath(to);
    if (access.isRoot(source)) {
      if (!recursive) throw needsRecursive();
      await refuseInside(access, source, destination);
      return copyFolder(access, await access.openFolder(source, 'read'), { to: destination, depth: 0 });
    }
    await holding(access.enter(source, 'read'), (entry) =>
      copyEntry(access, entry, { source, destination, recursive }),
    );
  });
}

async function copyEntry(
  access: FileAccess,
  entry: Entry,
  { source, destination, recursive }: { source: Buffer; destination: Buffer; recursive: boolean },
): Promise<void> {
  const stats = await lstat(entry.path, { bigint: true });
  if (!stats.isDirectory()) return copyOne(access, { at: entry.path, stats, to: destination });
  if (!recursive) throw needsRecursive();
  await refuseInside(access, source, destination);
  return copyFolder(access, await entry.openFolder(), { to: destination, depth: 0, mode: stats.mode });
}

/** Copies the entries of an open folder, and closes it. */
async function copyFolder(
  access: FileAccess,
  folder: Folder,
  { to, depth, mode }: { to: Buffer; depth: number; mode?: bigint },
): Promise<void> {
  try {
    if (depth > MAX_DEPTH) throw new FileError('tooLarge', `the folder is nested deeper than ${MAX_DEPTH} levels`);
    const options = mode === undefined ? {} : { mode: Number(mode & MODE_BITS) };
    await createDirectory(access, to, { recursive: true, ...options });
    for await (const { name } of entriesOf(folder)) {
      const at = folder.entry(name);
      const stats = await lstat(at, { bigint: true });
      const target = joinPath(to, name);
      if (!stats.isDirectory()) await copyOne(access, { at, stats, to: target });
      else await copyFolder(access, await folder.open(name), { to: target, depth: depth + 1, mode: stats.mode });
    }
  } finally {
    await folder.close();
  }
}

async function copyOne(
  access: FileAccess,
  { at, stats, to }: { at: Buffer; stats: BigIntStats; to: Buffer },
): Promise<void> {
  if (stats.isSymbolicLink()) {
    const target = (await readlink(at, { encoding: 'buffer' })) as Buffer;
    return holding(access.enter(to, 'write'), ({ path }) => symlink(target, path));
  }
  if (!stats.isFile()) throw new FileError('notAFile', 'only files, folders and symbolic links can be copied');
  const { handle, stats: opened } = await openRegular(access, at, constants.O_NOFOLLOW);
  try {
    const pending = await beginWrite(access, to, { mode: Number(opened.mode & MODE_BITS) });
    try {
      await copyContent(handle, pending, Number(opened.size));
      await pending.commit();
    } catch (error) {
      await pending.abort();
      throw error;
    }
  } finally {
    await handle.close();
  }
}

/** Both as they really are: a link in the destination may lead into the source. */
async function refuseInside(access: FileAccess, source: Buffer, destination: Buffer): Promise<void> {
  const real = await holding(access.reach(source, 'read'), (reached) => reached.realPath());
  const target = await realPathOfNew(access, destination);
  if (pathBelow(target, real) !== undefined) {
    throw new FileError('invalid', 'a folder cannot be copied to itself or one of its descendants');
  }
}

/** Where a path will be that may not be there yet. */
async function realPathOfNew(access: FileAccess, path: Buffer): Promise<Buffer> {
  const missing: Buffer[] = [];
  for (let present = path; ; ) {
    try {
      const real = await filing(() => holding(access.reach(present, 'read'), (reached) => reached.realPath()));
      return missing.reduceRight((folder, name) => joinPath(folder, name), real);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || access.isRoot(present)) throw error;
      const at = present.lastIndexOf('/');
      missing.push(present.subarray(at + 1));
      present = at === 0 ? Buffer.from('/') : present.subarray(0, at);
    }
  }
}

/** @param size what the file had when it was opened: one that grows all the time is copied up to there. 0 for files that do not tell, as in /proc */
async function copyContent(from: FileHandle, to: PendingFile, size: number): Promise<void> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let left = size === 0 ? Number.POSITIVE_INFINITY : size; left > 0; ) {
    const { bytesRead } = await from.read(chunk, 0, Math.min(chunk.length, left), null);
    if (bytesRead === 0) return;
    await to.write(chunk.subarray(0, bytesRead));
    left -= bytesRead;
  }
}

function needsRecursive(): FileError {
  return new FileError('isADirectory', 'a folder is copied only with recursive: true');
}
