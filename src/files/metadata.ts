/** What a file is: kind, size and times. Knows no wire. */
import type { BigIntStats } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { type FileAccess, holding } from './file-access.js';
import { filing } from './file-error.js';
import { absolutePath, type FilePath } from './file-path.js';

/** Nanoseconds of one millisecond. */
const NS_PER_MS = 1_000_000n;

/** Links are followed for all of it but `isSymlink`. */
export interface FileMetadata {
  readonly isDirectory: boolean;
  readonly isFile: boolean;
  /** Whether the path itself is a symbolic link. */
  readonly isSymlink: boolean;
  /** Bytes. */
  readonly size: number;
  /** Permission bits, such as 0o644. */
  readonly mode: number;
  /** Milliseconds since 1970; 0 where the file system keeps no such time. */
  readonly createdAtMs: number;
  /** Milliseconds since 1970. */
  readonly modifiedAtMs: number;
}

/** @throws {FileError} `notFound`, also for a link that leads to nothing */
export function readMetadata(access: FileAccess, path: FilePath): Promise<FileMetadata> {
  const clean = absolutePath(path);
  return filing(async () => {
    const own = await statsOfName(access, clean);
    if (own?.isSymbolicLink() === false) return metadataOf(own, false);
    const stats = await holding(access.reach(clean, 'read'), ({ path: at }) => stat(at, { bigint: true }));
    return metadataOf(stats, own !== undefined);
  });
}

/** @param isSymlink of the path that led to it */
export function metadataOf(stats: BigIntStats, isSymlink: boolean): FileMetadata {
  return {
    isDirectory: stats.isDirectory(),
    isFile: stats.isFile(),
    isSymlink,
    size: Number(stats.size),
    mode: Number(stats.mode & 0o7777n),
    createdAtMs: Number(stats.birthtimeNs / NS_PER_MS),
    modifiedAtMs: Number(stats.mtimeNs / NS_PER_MS),
  };
}

/** @returns undefined for a root, which has no name */
async function statsOfName(access: FileAccess, path: Buffer): Promise<BigIntStats | undefined> {
  if (access.isRoot(path)) return undefined;
  return holding(access.enter(path, 'read'), ({ path: at }) => lstat(at, { bigint: true }));
}
