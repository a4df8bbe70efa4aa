/** Lists a folder. Knows no wire. */
import type { Dirent } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { type FileAccess, type Folder, holding } from './file-access.js';
import { asFileError, FileError, filing } from './file-error.js';
import { absolutePath, type FilePath, joinPath } from './file-path.js';

/** One entry of a folder. */
export interface DirectoryEntry {
  /** The name as the file system has it. */
  readonly name: Buffer;
  /** Links are followed. */
  readonly isDirectory: boolean;
  /** Links are followed. */
  readonly isFile: boolean;
  readonly isSymlink: boolean;
}

/** Most entries of one listing: a reply with more would hold up the server for long. */
export const MAX_LISTED_ENTRIES = 100_000;
/** Entries that the system call returns at once. */
const ENTRIES_PER_CALL = 256;

/**
 * The entries of a folder in no certain order. Links that lead to nothing, or out of what is served, are left out.
 * @throws {FileError} `notADirectory`; `tooLarge` beyond `maxEntries`
 */
export function readDirectory(
  access: FileAccess,
  path: FilePath,
  { maxEntries = MAX_LISTED_ENTRIES }: { readonly maxEntries?: number } = {},
): Promise<DirectoryEntry[]> {
  return filing(async () => {
    const clean = absolutePath(path);
    const listed: DirectoryEntry[] = [];
    await holding(access.openFolder(clean, 'read'), async (folder) => {
      let count = 0;
      for await (const entry of entriesOf(folder)) {
        count += 1;
        if (count > maxEntries) throw tooMany(maxEntries);
        const described = await describeEntry(access, joinPath(clean, entry.name), entry);
        if (described !== undefined) listed.push(described);
      }
    });
    return listed;
  });
}

/** An entry as the folder itself tells, links not followed. */
export interface RawEntry {
  readonly name: Buffer;
  readonly isDirectory: boolean;
  readonly isFile: boolean;
  readonly isSymlink: boolean;
}

/** The entries of an open folder. @throws {FileError} `tooLarge` */
export async function listFolder(folder: Folder, maxEntries: number): Promise<RawEntry[]> {
  const entries = await listSome(folder, maxEntries + 1);
  if (entries.length > maxEntries) throw tooMany(maxEntries);
  return entries;
}

/** The first entries of an open folder. */
export async function listSome(folder: Folder, most: number): Promise<RawEntry[]> {
  const entries: RawEntry[] = [];
  for await (const entry of entriesOf(folder)) {
    entries.push(entry);
    if (entries.length >= most) break;
  }
  return entries;
}

/** The entries of an open folder as they are read, so that a folder of any size takes little memory. @throws {FileError} */
export async function* entriesOf(folder: Folder): AsyncGenerator<RawEntry, void, void> {
  try {
    for await (const entry of await openListing(folder.path)) {
      yield {
        name: entry.name,
        isDirectory: entry.isDirectory(),
        isFile: entry.isFile(),
        isSymlink: entry.isSymbolicLink(),
      };
    }
  } catch (error) {
    throw asFileError(error);
  }
}

function tooMany(maxEntries: number): FileError {
  return new FileError('tooLarge', `the folder has more than ${maxEntries} entries`);
}

/** Node's types know no names as bytes here. */
type ByteListing = AsyncIterable<Omit<Dirent, 'name'> & { readonly name: Buffer }>;

async function openListing(path: Buffer): Promise<ByteListing> {
  const options = { encoding: 'buffer' as BufferEncoding, bufferSize: ENTRIES_PER_CALL };
  return (await opendir(path as unknown as string, options)) as unknown as ByteListing;
}

/** @returns undefined for a link that leads to nothing that is served */
export async function describeEntry(
  access: FileAccess,
  path: Buffer,
  entry: RawEntry,
): Promise<DirectoryEntry | undefined> {
  if (!entry.isSymlink) return entry;
  try {
    const stats = await filing(() => holding(access.reach(path, 'read'), ({ path: at }) => stat(at)));
    return { name: entry.name, isDirectory: stats.isDirectory(), isFile: stats.isFile(), isSymlink: true };
  } catch (error) {
    if (error instanceof FileError) return undefined;
    throw error;
  }
}
