/** Comes to files by their paths, wherever they lead. Keeps the server's secrets. Knows no roots. */
import type { BigIntStats } from 'node:fs';
import { type FileHandle, lstat, realpath, stat } from 'node:fs/promises';
import type { Entry, FileAccess, Folder, Reached } from './file-access.js';
import { errnoError, FileError } from './file-error.js';
import { joinPath, splitPath } from './file-path.js';
import type { SecretFiles } from './secret-files.js';

export class PlainAccess implements FileAccess {
  readonly roots = undefined;
  readonly #secrets: SecretFiles;

  constructor(secrets: SecretFiles) {
    this.#secrets = secrets;
  }

  isRoot(path: Buffer): boolean {
    return splitPath(path).name.length === 0;
  }

  async reach(path: Buffer): Promise<Reached> {
    return { path, realPath: () => realPathOf(path), close };
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
      openFolder: () => openPlainFolder(path),
      close,
    };
  }

  async openFolder(path: Buffer): Promise<Folder> {
    const real = await realPathOf(path);
    if (!(await stat(real)).isDirectory()) throw errnoError('ENOTDIR');
    return plainFolder(real);
  }

  checkContent(handle: FileHandle, stats: BigIntStats): Promise<void> {
    return this.#secrets.checkContent(handle, stats);
  }

  checkChange(stats: BigIntStats, realPath?: () => Promise<Buffer>): Promise<void> {
    return this.#secrets.checkChange(stats, realPath);
  }
}

async function close(): Promise<void> {}

async function realPathOf(path: Buffer): Promise<Buffer> {
  return (await realpath(path, { encoding: 'buffer' })) as Buffer;
}

async function openPlainFolder(path: Buffer): Promise<Folder> {
  if (!(await lstat(path)).isDirectory()) throw errnoError('ENOTDIR');
  return plainFolder(path);
}

function plainFolder(path: Buffer): Folder {
  return {
    path,
    entry: (name) => joinPath(path, name),
    open: (name) => openPlainFolder(joinPath(path, name)),
    close,
  };
}
