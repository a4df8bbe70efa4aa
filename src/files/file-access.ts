/**
 * How an operation comes to the file that a path names, and what it may not come to. Two ways exist: `plain-access.ts` goes by paths,
 * `confined-access.ts` never leaves its roots. Every operation of this folder takes one as its first argument. Knows no operation.
 */
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

/** What an operation does with the file: a confined server may let more be read than written. */
export type Purpose = 'read' | 'write';

/** Something that was come to, and that must be let go of. */
export interface Held {
  close(): Promise<void>;
}

/** A file or folder that was reached, links followed. */
export interface Reached extends Held {
  /** Names it for calls of `node:fs`. Where the server is confined, it does so whatever is renamed meanwhile. */
  readonly path: Buffer;
  /** Where it really is. */
  realPath(): Promise<Buffer>;
}

/** A name in a folder that was reached; whether something has that name is not known. */
export interface Entry extends Held {
  /** Names it for calls of `node:fs`. A call must not follow it: it may be a symbolic link. */
  readonly path: Buffer;
  readonly name: Buffer;
  /** Names the folder for calls of `node:fs`. */
  readonly folder: Buffer;
  /** Another name in the same folder. */
  sibling(name: Buffer): Buffer;
  /** Where the folder really is. */
  realFolder(): Promise<Buffer>;
  /** Opens the folder of this name; the caller closes it. @throws {FileError} `notADirectory` for a symbolic link, too */
  openFolder(): Promise<Folder>;
}

/** An open folder. */
export interface Folder extends Held {
  /** Names it for calls of `node:fs`. */
  readonly path: Buffer;
  /** Names an entry for calls of `node:fs`, which must not follow it. */
  entry(name: Buffer): Buffer;
  /** Opens a folder in it. @throws {FileError} `notADirectory` for a symbolic link, too */
  open(name: Buffer): Promise<Folder>;
}

/** How operations come to files. */
export interface FileAccess {
  /** The paths that are served; undefined if every path is. */
  readonly roots: readonly string[] | undefined;
  /** Whether a clean path is `/` or a root, which has no name that could be changed. */
  isRoot(path: Buffer): boolean;
  /** Comes to what a clean path names, links followed. @throws {FileError} */
  reach(path: Buffer, purpose: Purpose): Promise<Reached>;
  /** Comes to the name itself: links are followed up to its folder. @throws {FileError} `denied` for a root */
  enter(path: Buffer, purpose: Purpose): Promise<Entry>;
  /** Opens a folder, links followed. @throws {FileError} `notADirectory` */
  openFolder(path: Buffer, purpose: Purpose): Promise<Folder>;
  /** Refuses a file whose content this server never gives away. To be called for each opened file, before a byte is read. @throws {FileError} `denied` */
  checkContent(handle: FileHandle, stats: BigIntStats): Promise<void>;
  /**
   * Refuses to replace, remove or move one of the server's secrets, or a folder that holds one.
   * @param realPath of a folder that is to be moved or removed
   * @throws {FileError} `denied`
   */
  checkChange(stats: BigIntStats, realPath?: () => Promise<Buffer>): Promise<void>;
}

/** Holds something for the time of one use. */
export async function holding<H extends Held, T>(held: Promise<H>, use: (held: H) => Promise<T>): Promise<T> {
  const present = await held;
  try {
    return await use(present);
  } finally {
    await present.close();
  }
}
