/**
 * Replaces files: the new content is written beside the old file and takes its name at the end, so that a write that does not come to its end leaves
 * the old file as it was. Knows no wire.
 */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, readlink, rename, stat, unlink } from 'node:fs/promises';
import { type Entry, type FileAccess, holding } from './file-access.js';
import { errnoError, errnoOf, FileError, filing } from './file-error.js';
import { absolutePath, type FilePath, joinPath } from './file-path.js';
import { lstatIfThere } from './lstat-if-there.js';
import { inTurn } from './name-turns.js';
import { temporaryName } from './temporary-name.js';

/** Of a new file, before the umask. */
const FILE_MODE = 0o666;
/** Of a file whose final mode is set at its end. */
const PRIVATE_MODE = 0o600;
/** Permission bits that can be set; a copied set-user-ID bit would give rights away. */
const MODE_BITS = 0o777;
const SLASH = 0x2f;
/** As many links are followed as Linux does. */
const MAX_LINKS = 40;
/** In these cases the file itself may be writable although nothing can be put beside it, or it is a mount of its own. */
const CANNOT_REPLACE = new Set(['EACCES', 'EPERM', 'EBUSY', 'EROFS', 'EXDEV']);

export interface WriteOptions {
  /** Permission bits. Default: those of the old file, or 0o666 less the umask. */
  readonly mode?: number | undefined;
  /** Called with what is there right before it is replaced; undefined if nothing is. May throw, and then nothing changes. */
  readonly check?: ((present: BigIntStats | undefined) => void) | undefined;
}

/**
 * Writes a whole file; a symbolic link is followed. Where the folder may not be written but the file may, the file is written in place.
 * @throws {FileError} `isADirectory`, `notAFile`, `noSpace`, `notFound` when the folder is missing
 */
export function writeFile(
  access: FileAccess,
  path: FilePath,
  bytes: Buffer,
  options: WriteOptions = {},
): Promise<void> {
  return filing(async () => {
    const clean = absolutePath(path);
    try {
      const pending = await beginWrite(access, clean, options);
      try {
        await pending.write(bytes);
        await pending.commit();
      } catch (error) {
        await pending.abort();
        throw error;
      }
    } catch (error) {
      if (!CANNOT_REPLACE.has(errnoOf(error) ?? '') || !(await writeInPlace(access, clean, bytes))) throw error;
    }
  });
}

/** A file that is being written. One of `commit` and `abort` must be called; `abort` does nothing after `commit`. */
export interface PendingFile {
  /** Bytes behind those that were written before, or at a position. */
  write(bytes: Buffer, position?: number): Promise<void>;
  /** Gives the new content the name. */
  commit(times?: { readonly modifiedAtMs: number }): Promise<BigIntStats>;
  /** Drops the new content. */
  abort(): Promise<void>;
}

/** Begins to write a file. @throws {FileError} */
export function beginWrite(access: FileAccess, path: FilePath, options: WriteOptions = {}): Promise<PendingFile> {
  return filing(async () => {
    const { entry, stats } = await enterFile(access, absolutePath(path));
    try {
      return await pendingIn(access, { entry, stats }, options);
    } catch (error) {
      await entry.close();
      throw error;
    }
  });
}

async function pendingIn(
  access: FileAccess,
  { entry, stats: found }: Entered,
  { mode, check }: WriteOptions,
): Promise<PendingFile> {
  const present = await presentFile(access, found);
  check?.(present);
  const temporary = entry.sibling(temporaryName());
  const created = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(temporary, created, mode === undefined && present === undefined ? FILE_MODE : PRIVATE_MODE);
  let isOver = false;
  const end = async (): Promise<void> => {
    isOver = true;
    await handle.close().catch(() => {});
    await entry.close();
  };
  const abort = async (): Promise<void> => {
    if (isOver) return;
    await unlink(temporary).catch(() => {});
    await end();
  };
  return {
    write: (bytes, position) => filing(() => writeFully(handle, bytes, position ?? null)),
    async commit(times) {
      try {
        return await filing(async () => {
          const { modifiedAtMs } = times ?? {};
          if (mode !== undefined || present !== undefined) await takeRights(handle, { mode, present });
          // As a Date, because Node takes a negative number for now.
          if (modifiedAtMs !== undefined) await handle.utimes(new Date(modifiedAtMs), new Date(modifiedAtMs));
          const stats = await handle.stat({ bigint: true });
          await inTurn([entry], async () => {
            // AGAIN, because writing took its time.
            check?.(await presentFile(access, await lstatIfThere(entry.path)));
            await rename(temporary, entry.path);
          });
          await end();
          return stats;
        });
      } catch (error) {
        await abort();
        throw error;
      }
    },
    abort,
  };
}

/** A name, and what has it. */
interface Entered {
  readonly entry: Entry;
  readonly stats: BigIntStats | undefined;
}

/** Comes to the name that a write replaces: a symbolic link is followed, also one that leads to nothing yet. */
async function enterFile(access: FileAccess, path: Buffer): Promise<Entered> {
  let next = path;
  for (let links = 0; links <= MAX_LINKS; links += 1) {
    if (access.isRoot(next)) throw errnoError('EISDIR');
    const entry = await access.enter(next, 'write');
    try {
      const stats = await lstatIfThere(entry.path);
      if (stats?.isSymbolicLink() !== true) return { entry, stats };
      const target = await linkTarget(entry.path);
      // It is a link no more: it is looked at again.
      if (target !== undefined)
        next = target[0] === SLASH ? absolutePath(target) : absolutePath(joinPath(await entry.realFolder(), target));
    } catch (error) {
      await entry.close();
      throw error;
    }
    await entry.close();
  }
  throw errnoError('ELOOP');
}

/** What is to be replaced. @throws {FileError} when it is no file */
async function presentFile(access: FileAccess, stats: BigIntStats | undefined): Promise<BigIntStats | undefined> {
  if (stats === undefined) return undefined;
  if (stats.isDirectory()) throw errnoError('EISDIR');
  if (!stats.isFile()) throw new FileError('notAFile', 'the path is not a file');
  await access.checkChange(stats);
  return stats;
}

/** @returns undefined when it is no link */
async function linkTarget(path: Buffer): Promise<Buffer | undefined> {
  try {
    return (await readlink(path, { encoding: 'buffer' })) as Buffer;
  } catch (error) {
    if (errnoOf(error) === 'EINVAL') return undefined;
    throw error;
  }
}

/** Gives the new file the mode that was asked for or that of the old one, and the old owner if that is allowed. */
async function takeRights(
  handle: FileHandle,
  { mode, present }: { readonly mode: number | undefined; readonly present: BigIntStats | undefined },
): Promise<void> {
  if (present !== undefined) {
    const stats = await handle.stat({ bigint: true });
    if (stats.uid !== present.uid || stats.gid !== present.gid) {
      await handle.chown(Number(present.uid), Number(present.gid)).catch(() => {});
    }
  }
  await handle.chmod(mode ?? Number(present?.mode ?? 0n) & MODE_BITS);
}

async function writeFully(handle: FileHandle, bytes: Buffer, position: number | null): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const at = position === null ? null : position + done;
    done += (await handle.write(bytes, done, bytes.length - done, at)).bytesWritten;
  }
}

/** @returns false when the file cannot be written in place either */
async function writeInPlace(access: FileAccess, path: Buffer, bytes: Buffer): Promise<boolean> {
  try {
    return await holding(access.reach(path, 'write'), async (reached) => {
      const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
      if (!(await stat(reached.path)).isFile()) return false;
      const handle = await open(reached.path, flags);
      try {
        await access.checkChange(await handle.stat({ bigint: true }));
        await handle.truncate(0);
        await writeFully(handle, bytes, 0);
        return true;
      } finally {
        await handle.close();
      }
    });
  } catch (error) {
    if (CANNOT_REPLACE.has(errnoOf(error) ?? '') || errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
