/** Comes to files by their paths, wherever they lead. Keeps the server's secrets. Knows no roots. */
import type { BigIntStats } from 'node:fs';
import { type FileHandle, lstat, realpath, stat } from 'node:fs/promises';
import type { Entry, FileAccess, Folder, Reached } from './file-access.js';
import { errnoError, FileError } from './file-error.js';
import { joinPath, splitPath } from './file-path.js';
import { canNameDescriptors, openFolderAt, openFolderEntry } from './open-folder.js';
import type { SecretFiles } from './secret-files.js';

/** Serves every path that the server's user may use. */
export class PlainAccess implements FileAccess {
  readonly roots = undefined;
  readonly #secrets: SecretFiles;
  /** Without descriptors, folders that are worked on go by their paths. */
  readonly #byDescriptor = canNameDescriptors();

  constructor(secrets: SecretFiles) {
    this.#secrets = secrets;
  }

  isRoot(path: Buffer): boolean {
    return splitPath(path).name.length === 0;
  }

  async reach(path: Buffer): Promise<Reached> {
    return { path, realPath: () => realPathOf(path), close: async () => {} };
  }

  async enter(path: Buffer): Promise<Entry> {
    const { folder, name } = splitPath(path);
    if (name.length === 0) throw new FileError('denied', 'the root folder itself cannot be changed');
    return {
      path,
      name,
      folder,
      sibling: (other) => joinPath(folder, other),
      realFolder: () => realPathOf(folder),
      openFolder: () => (this.#byDescriptor ? openFolderEntry(path) : pathFolder(path, lstat)),
      close: async () => {},
    };
  }

  openFolder(path: Buffer): Promise<Folder> {
    return this.#byDescriptor ? openFolderAt(path) : pathFolder(path, stat);
  }

  checkContent(handle: FileHandle, stats: BigIntStats): Promise<void> {
    return this.#secrets.checkContent(handle, stats);
  }

  checkChange(stats: BigIntStats, realPath?: () => Promise<Buffer>): Promise<void> {
    return this.#secrets.checkChange(stats, realPath);
  }
}

async function realPathOf(path: Buffer): Promise<Buffer> {
  return (await realpath(path, { encoding: 'buffer' })) as Buffer;
}

async function pathFolder(path: Buffer, statOf: typeof stat): Promise<Folder> {
  if (!(await statOf(path)).isDirectory()) throw errnoError('ENOTDIR');
  return {
    path,
    entry: (name) => joinPath(path, name),
    open: (name) => pathFolder(joinPath(path, name), lstat),
    close: async () => {},
  };
}
