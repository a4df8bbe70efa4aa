/**
 * Looks up the paths of a policy. It decides nothing.
 *
 * The file system of a path that a client names may never answer, so such a path is looked up off the event loop.
 */
import { type BigIntStats, lstatSync, realpathSync, statSync } from 'node:fs';
import { lstat, realpath, stat } from 'node:fs/promises';

/** Does one lookup on another thread, in its turn. @throws {ShortageError} when the lookups before it do not end. */
export type OffLoop = <T>(lookup: () => Promise<T>) => Promise<T>;

type Answer<T> = T | undefined | Promise<T | undefined>;

/** Each answer is undefined when the path leads to nothing, or may not be looked at. */
export interface PathLookup {
  /** The same path without symbolic links. */
  realPath(path: string): Answer<string>;
  /** What the path leads to. */
  stat(path: string): Answer<BigIntStats>;
  /** What the path names, which may be a symbolic link. */
  lstat(path: string): Answer<BigIntStats>;
}

/** For paths that the operator chose: answers at once. */
export const lookupAtOnce: PathLookup = {
  realPath: (path) => orNothing(() => realpathSync.native(path)),
  stat: (path) => orNothing(() => statSync(path, { bigint: true })),
  lstat: (path) => orNothing(() => lstatSync(path, { bigint: true })),
};

/** For paths that a client may have chosen. */
export function lookupOffLoop(offLoop: OffLoop): PathLookup {
  // An error of the lookup means that there is nothing; an error of `offLoop` is passed on.
  const look = <T>(lookup: () => Promise<T>): Promise<T | undefined> =>
    offLoop(() => lookup().catch((): undefined => undefined));
  return {
    realPath: (path) => look(() => realpath(path)),
    stat: (path) => look(() => stat(path, { bigint: true })),
    lstat: (path) => look(() => lstat(path, { bigint: true })),
  };
}

function orNothing<T>(lookup: () => T): T | undefined {
  try {
    return lookup();
  } catch {
    return undefined;
  }
}

/** Device and inode: what Landlock's rules are bound to. */
export function identityOf({ dev, ino }: Pick<BigIntStats, 'dev' | 'ino'>): string {
  return `${dev}:${ino}`;
}

/**
 * Device, inode and time of birth. A rule keeps its inode, but a mount does not: when its folder is removed, a new folder may get the same
 * inode, and the mount is not there any more.
 */
export function birthOf(stats: Pick<BigIntStats, 'dev' | 'ino' | 'birthtimeNs'>): string {
  return `${identityOf(stats)}:${stats.birthtimeNs}`;
}
