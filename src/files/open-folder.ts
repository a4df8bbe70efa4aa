/**
 * Open folders by their descriptors: an entry is named by /proc/self/fd/N/NAME, so that it is the entry of this very folder whatever was renamed. Knows
 * no roots.
 */
import { close as closeFd, constants, existsSync, open as openFd } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Folder } from './file-access.js';
import { joinPath } from './file-path.js';

const openDescriptor = promisify(openFd);
const closeDescriptor = promisify(closeFd);

/** Linux; it names a file and needs no right to read it. Node has no constant for it. */
const O_PATH = 0o10000000;
const AS_FOLDER = O_PATH | constants.O_DIRECTORY;

const SELF = Buffer.from('.');

/** Whether files can be named by descriptors here. */
export function canNameDescriptors(): boolean {
  return process.platform === 'linux' && existsSync('/proc/self/fd');
}

/** Names what a descriptor refers to, for calls of `node:fs`. */
export function descriptorPath(fd: number): Buffer {
  return Buffer.from(`/proc/self/fd/${fd}`);
}

/** Where the file of a descriptor is now. */
export async function realPathOfDescriptor(fd: number): Promise<Buffer> {
  return (await readlink(descriptorPath(fd), { encoding: 'buffer' })) as Buffer;
}

/** Opens a folder by its path, links followed. Node's descriptors are close-on-exec. */
export async function openFolderAt(path: Buffer): Promise<Folder> {
  return folderOf(await openDescriptor(path, AS_FOLDER));
}

/** Opens a folder by an entry of another one, never through a link. */
export async function openFolderEntry(path: Buffer): Promise<Folder> {
  return folderOf(await openDescriptor(path, AS_FOLDER | constants.O_NOFOLLOW));
}

/** An open folder, which owns the descriptor. */
export function folderOf(fd: number): Folder {
  const path = descriptorPath(fd);
  return {
    path,
    entry: (name) => joinPath(path, name),
    open: (name) => openFolderEntry(joinPath(path, name)),
    close: () => closeDescriptor(fd),
  };
}

/** Opens a descriptor for reference only, links followed. */
export function openReference(path: Buffer): Promise<number> {
  return openDescriptor(path, O_PATH);
}

/** Closes a descriptor. */
export function closeReference(fd: number): Promise<void> {
  return closeDescriptor(fd);
}

/** Opens a folder below another one by its names, never through a link; the caller closes it. @param path empty for the same folder */
export async function descend(top: Folder, path: readonly Buffer[]): Promise<Folder> {
  let folder = await top.open(SELF);
  for (const name of path) {
    const outer = folder;
    try {
      folder = await outer.open(name);
    } finally {
      await outer.close();
    }
  }
  return folder;
}
