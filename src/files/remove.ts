/** Removes files and folders. Knows no wire. */
import type { BigIntStats } from 'node:fs';
import { lstat, rmdir, unlink } from 'node:fs/promises';
import { type FileAccess, type Folder, holding } from './file-access.js';
import { errnoError, errnoOf, FileError, filing } from './file-error.js';
import { absolutePath, type FilePath, joinPath } from './file-path.js';
import { lstatIfThere } from './lstat-if-there.js';
import { inTurn } from './name-turns.js';
import { listSome } from './read-directory.js';

/** Levels of folders: each holds a descriptor while the tree below it is worked on. */
export const MAX_DEPTH = 256;
/** Entries that are removed before the folder is listed again, so that a huge folder is never held in memory. */
const ENTRIES_AT_ONCE = 1000;

export interface RemoveOptions {
  /** A folder goes with everything in it. Without it a folder must be empty. */
  readonly recursive: boolean;
  /** Nothing there is no fault. */
  readonly force: boolean;
  /** Called with what is there right before it is removed; undefined if nothing is. May throw, and then nothing changes. */
  readonly check?: (present: BigIntStats | undefined) => void;
}

/**
 * Removes what the path names; of a symbolic link the link itself.
 * @throws {FileError} `notFound`, `notEmpty`; `denied` for a root and for the server's secrets
 */
export async function remove(access: FileAccess, path: FilePath, options: RemoveOptions): Promise<void> {
  try {
    await filing(() => removeAt(access, absolutePath(path), options));
  } catch (error) {
    if (!(options.force && error instanceof FileError && error.reason === 'notFound')) throw error;
  }
}

function removeAt(access: FileAccess, path: Buffer, { recursive, check }: RemoveOptions): Promise<void> {
  return holding(access.enter(path, 'write'), async (entry) => {
    const isFolder = await inTurn([entry], async () => {
      const stats = await lstatIfThere(entry.path);
      check?.(stats);
      if (stats === undefined) throw errnoError('ENOENT');
      await access.checkChange(stats, async () => joinPath(await entry.realFolder(), entry.name));
      if (!stats.isDirectory()) await unlink(entry.path);
      return stats.isDirectory();
    });
    if (!isFolder) return;
    if (recursive) await emptied(access, await entry.openFolder(), 0);
    await rmdir(entry.path);
  });
}

/** Removes everything in an open folder, whatever its path leads to meanwhile, and closes it. */
async function emptied(access: FileAccess, folder: Folder, depth: number): Promise<void> {
  try {
    if (depth > MAX_DEPTH) throw new FileError('tooLarge', `the folder is nested deeper than ${MAX_DEPTH} levels`);
    for (;;) {
      const entries = await listSome(folder, ENTRIES_AT_ONCE);
      if (entries.length === 0) return;
      for (const { name } of entries) await removeEntry(access, folder, { name, depth });
    }
  } finally {
    await folder.close();
  }
}

async function removeEntry(
  access: FileAccess,
  folder: Folder,
  { name, depth }: { readonly name: Buffer; readonly depth: number },
): Promise<void> {
  const at = folder.entry(name);
  try {
    const stats = await lstat(at, { bigint: true });
    await access.checkChange(stats);
    if (!stats.isDirectory()) return await unlink(at);
    await emptied(access, await folder.open(name), depth + 1);
    await rmdir(at);
  } catch (error) {
    // Another program has removed it, or put something into it: then it is still listed, and its turn comes again.
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTEMPTY') throw error;
  }
}
