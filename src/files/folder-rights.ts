/** Gives the folders of an archive their modes and times when everything is in its place, or takes that back. Knows no tar. */
import { chmod, stat, utimes } from 'node:fs/promises';
import type { Folder } from './file-access.js';
import { errnoOf, FileError } from './file-error.js';
import { descend } from './open-folder.js';

/** Folders whose mode and time are set at the end. */
const MAX_FOLDERS = 200_000;
const SLASH = '/';
/** Set-user-ID, set-group-ID and sticky: a folder that is there keeps them, such as the sticky bit of `/tmp`. */
const SPECIAL_BITS = 0o7000;
const ALL_BITS = 0o7777;
const ROOT_UID = 0;

/** What an archive says of a folder. */
export interface FolderRights {
  /** Permission bits. */
  readonly mode: number;
  /** Undefined when the archive has none. */
  readonly modifiedAtMs: number | undefined;
}

interface Wanted extends FolderRights {
  /** Its names with slashes in between: a list of names would take many times the memory. */
  readonly path: string;
}

/** The folders of one archive. */
export class RightsOfFolders {
  readonly #maxPathBytes: number;
  readonly #wanted: Wanted[] = [];
  #pathBytes = 0;
  readonly #old: { readonly path: string; readonly mode: number }[] = [];

  /** @param maxPathBytes of the paths of all folders together, which are kept until the end */
  constructor(maxPathBytes: number) {
    this.#maxPathBytes = maxPathBytes;
  }

  /** @throws {FileError} `tooLarge` */
  add(names: readonly Buffer[], { mode, modifiedAtMs }: FolderRights): void {
    if (this.#wanted.length >= MAX_FOLDERS)
      throw new FileError('tooLarge', `the tar has more than ${MAX_FOLDERS} folders`);
    const path = names.map((name) => name.toString('latin1')).join(SLASH);
    this.#pathBytes += path.length;
    const most = this.#maxPathBytes;
    if (this.#pathBytes > most)
      throw new FileError('tooLarge', `the paths of the folders in the tar have more than ${most} bytes`);
    this.#wanted.push({ path, mode, modifiedAtMs });
  }

  /** Refuses a mode that cannot be given to a folder that is there. To be called before anything changes. @throws {FileError} `denied` */
  async check(destination: Folder): Promise<void> {
    const uid = process.geteuid?.() ?? ROOT_UID;
    if (uid === ROOT_UID) return;
    for (const { path, mode } of this.#wanted) {
      const present = await statIfThere(destination, path);
      if (present === undefined || present.uid === uid || (present.mode & ~SPECIAL_BITS & ALL_BITS) === mode) continue;
      throw new FileError(
        'denied',
        `nothing was unpacked: the folder ${JSON.stringify(textOf(path))} belongs to another user, so that its mode cannot be changed`,
      );
    }
  }

  /** Sets modes and times, of the inner folders first: a folder that may not be written could not be filled or moved. */
  async set(destination: Folder): Promise<void> {
    for (const { path, ...rights } of this.#wanted.toReversed()) {
      await inFolder(destination, path, async (folder) => {
        const mode = await setRights(folder, rights);
        this.#old.push({ path, mode });
      });
    }
  }

  /** Gives the folders the modes back that they had. @returns whether all have them */
  async undo(destination: Folder): Promise<boolean> {
    let isUndone = true;
    for (const { path, mode } of this.#old.toReversed()) {
      await inFolder(destination, path, (folder) => chmod(folder.path, mode)).catch(() => {
        isUndone = false;
      });
    }
    return isUndone;
  }
}

/** Gives an open folder its mode and time. The time of a folder of another user cannot be set, and stays. @returns the mode that it had */
export async function setRights(folder: Folder, { mode, modifiedAtMs }: FolderRights): Promise<number> {
  const { mode: old } = await stat(folder.path);
  const wanted = (old & SPECIAL_BITS) | mode;
  if ((old & ALL_BITS) !== wanted) await chmod(folder.path, wanted);
  if (modifiedAtMs !== undefined) {
    const time = new Date(modifiedAtMs);
    await utimes(folder.path, time, time).catch((error: unknown) => {
      if (errnoOf(error) !== 'EPERM') throw error;
    });
  }
  return old & ALL_BITS;
}

async function statIfThere(destination: Folder, path: string): Promise<{ uid: number; mode: number } | undefined> {
  try {
    return await inFolder(destination, path, (folder) => stat(folder.path));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function inFolder<T>(destination: Folder, path: string, use: (folder: Folder) => Promise<T>): Promise<T> {
  const folder = await descend(
    destination,
    path.split(SLASH).map((name) => Buffer.from(name, 'latin1')),
  );
  try {
    return await use(folder);
  } finally {
    await folder.close();
  }
}

function textOf(path: string): string {
  return Buffer.from(path, 'latin1').toString();
}
