/**
 * Unpacks a tar into a folder: first into a folder of its own in it, and only when the whole archive was read and is harmless, from there to the
 * members' places. Each step names an entry of an open folder and follows no link. Knows no wire.
 */
import { constants } from 'node:fs';
import { chmod, type FileHandle, link, mkdir, open, symlink, unlink, utimes } from 'node:fs/promises';
import { createDirectory } from './create-directory.js';
import { type FileAccess, type Folder, holding } from './file-access.js';
import { errnoError, errnoOf, FileError, filing } from './file-error.js';
import { absolutePath, checkName, type FilePath, joinPath } from './file-path.js';
import { lstatIfThere } from './lstat-if-there.js';
import { checkPlaces, putInPlace } from './put-in-place.js';
import { entriesOf } from './read-directory.js';
import { remove } from './remove.js';
import { type MemberPath, readTar, type TarConsumer, type TarMember, type TarRules } from './tar-read.js';
import { temporaryName } from './temporary-name.js';

const PRIVATE_FOLDER = 0o700;
const NEW_FOLDER = 0o777;
const PRIVATE_FILE = 0o600;
const MAX_DEPTH = 256;
/** Folders whose mode and time are set at the end, and the bytes of their paths. */
const MAX_FOLDERS = 200_000;
const MAX_FOLDER_PATH_BYTES = 16 * 1024 * 1024;
const SLASH = '/';
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export interface UnpackOptions extends TarRules {
  /** The archive is one file, which gets this name. Default: members have their own. */
  readonly fileName?: Buffer;
  /** Bytes of the paths of all folders in the archive together, which are kept until its end. Default 16 MiB. */
  readonly maxFolderPathBytes?: number;
}

/**
 * Unpacks into a folder, which is made if it is missing. Members replace files of the same name and join folders of the same name; modes and times are
 * kept, owners are not.
 * @throws {FileError} `invalid` for a hostile member or a broken archive, and then nothing was unpacked; `exists` when a file and a folder have the same name
 */
export function unpackTar(
  access: FileAccess,
  { path, source }: { readonly path: FilePath; readonly source: AsyncIterable<Buffer> },
  options: UnpackOptions = {},
): Promise<void> {
  return filing(async () => {
    const clean = absolutePath(path);
    const isNew = await makeMissing(access, clean);
    try {
      await holding(access.openFolder(clean, 'write'), (folder) =>
        unpackInto(access, { clean, folder, source }, options),
      );
    } catch (error) {
      // Fails when something is in it, and that is right.
      if (isNew) await remove(access, clean, { recursive: false, force: true }).catch(() => {});
      throw error;
    }
  });
}

/** @returns whether the folder was missing */
async function makeMissing(access: FileAccess, path: Buffer): Promise<boolean> {
  if (access.isRoot(path)) return false;
  try {
    await createDirectory(access, path, { recursive: false });
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

interface Work {
  readonly clean: Buffer;
  readonly folder: Folder;
  readonly source: AsyncIterable<Buffer>;
}

async function unpackInto(access: FileAccess, { clean, folder, source }: Work, options: UnpackOptions): Promise<void> {
  const name = temporaryName();
  // Comes to the name by the access, which refuses places that may not be written.
  await holding(access.enter(joinPath(clean, name), 'write'), (entry) => mkdir(entry.path, { mode: PRIVATE_FOLDER }));
  try {
    const staging = await folder.open(name);
    const members = new Staging(staging, options);
    try {
      await readTar(source, members, options);
      await checkTop(access, clean, staging);
      await checkPlaces(access, staging, folder);
      await putInPlace(staging, folder);
      await members.setFolders(folder);
    } finally {
      await members.close();
    }
  } finally {
    await remove(access, joinPath(clean, name), { recursive: true, force: true }).catch(() => {});
  }
}

/** Names at the top may be protected. */
async function checkTop(access: FileAccess, clean: Buffer, staging: Folder): Promise<void> {
  for await (const { name } of entriesOf(staging)) {
    await (await access.enter(joinPath(clean, name), 'write')).close();
  }
}

interface FolderRights {
  /** Its names with slashes in between: a list of names would take many times the memory. */
  readonly path: string;
  readonly mode: number;
  readonly modifiedAtMs: number | undefined;
}

/** Writes members into a folder that nobody else knows. */
class Staging implements TarConsumer {
  readonly #top: Folder;
  readonly #fileName: Buffer | undefined;
  readonly #maxFolderPathBytes: number;
  /** The open folders on the way to the last member. */
  readonly #open: { readonly name: Buffer; readonly folder: Folder }[] = [];
  readonly #folders: FolderRights[] = [];
  #folderPathBytes = 0;
  #file: { readonly handle: FileHandle; readonly member: TarMember & { kind: 'file' } } | undefined;

  constructor(top: Folder, { fileName, maxFolderPathBytes = MAX_FOLDER_PATH_BYTES }: UnpackOptions) {
    this.#top = top;
    this.#fileName = fileName;
    this.#maxFolderPathBytes = maxFolderPathBytes;
  }

  async begin(member: TarMember): Promise<void> {
    const path = this.#fileName === undefined ? member.path : [this.#fileName];
    if (this.#fileName !== undefined && (member.kind !== 'file' || member.path.length > 1)) {
      throw new FileError('invalid', 'nothing was unpacked: one file was expected, and the tar has something else');
    }
    const name = path.at(-1);
    if (name === undefined || path.length > MAX_DEPTH) throw new FileError('tooLarge', 'a path in the tar is too deep');
    for (const part of path) checkName(part);
    if (member.kind === 'directory') return this.#makeFolder(member);
    const folder = await this.#folderOf(path.slice(0, -1));
    const at = folder.entry(name);
    await removeFile(at);
    if (member.kind === 'symlink') return symlink(member.target, at);
    if (member.kind === 'link') return this.#link(member.target, at);
    this.#file = { handle: await open(at, NEW_FILE, PRIVATE_FILE), member };
  }

  async content(bytes: Buffer): Promise<void> {
    const { handle } = this.#file ?? {};
    for (let done = 0; done < bytes.length && handle !== undefined; ) {
      done += (await filing(() => handle.write(bytes, done, bytes.length - done, null))).bytesWritten;
    }
  }

  async end(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    try {
      await file.handle.chmod(file.member.mode);
      const { modifiedAtMs } = file.member;
      if (modifiedAtMs !== undefined) await file.handle.utimes(modifiedAtMs / 1000, modifiedAtMs / 1000);
    } finally {
      await file.handle.close();
    }
  }

  /** Gives the folders their modes and times, the inner ones first: a folder that may not be written could not be filled or moved. */
  async setFolders(destination: Folder): Promise<void> {
    for (const { path, mode, modifiedAtMs } of this.#folders.reverse()) {
      const names = path.split(SLASH).map((name) => Buffer.from(name, 'latin1'));
      const folder = await descend(destination, names);
      try {
        await chmod(folder.path, mode);
        if (modifiedAtMs !== undefined) await utimes(folder.path, modifiedAtMs / 1000, modifiedAtMs / 1000);
      } finally {
        await folder.close();
      }
    }
  }

  async close(): Promise<void> {
    await this.#file?.handle.close().catch(() => {});
    for (const { folder } of this.#open) await folder.close();
    await this.#top.close();
  }

  async #makeFolder({ path: names, mode, modifiedAtMs }: TarMember & { kind: 'directory' }): Promise<void> {
    await this.#folderOf(names);
    if (this.#folders.length >= MAX_FOLDERS)
      throw new FileError('tooLarge', `the tar has more than ${MAX_FOLDERS} folders`);
    const path = names.map((name) => name.toString('latin1')).join(SLASH);
    this.#folderPathBytes += path.length;
    const most = this.#maxFolderPathBytes;
    if (this.#folderPathBytes > most)
      throw new FileError('tooLarge', `the paths of the folders in the tar have more than ${most} bytes`);
    this.#folders.push({ path, mode, modifiedAtMs });
  }

  async #link(target: MemberPath, at: Buffer): Promise<void> {
    const name = target.at(-1);
    if (name === undefined) throw new FileError('invalid', 'nothing was unpacked: a link has no target');
    const folder = await descend(this.#top, target.slice(0, -1));
    try {
      const source = folder.entry(name);
      if ((await lstatIfThere(source))?.isFile() !== true) {
        throw new FileError('invalid', 'nothing was unpacked: a link names no file of the tar');
      }
      await link(source, at);
    } finally {
      await folder.close();
    }
  }

  /** The folder of a path, made as far as it is missing. @throws {FileError} when a link or a file is in the way */
  async #folderOf(path: MemberPath): Promise<Folder> {
    let common = 0;
    while (common < path.length && path[common]?.equals(this.#open[common]?.name ?? Buffer.alloc(0)) === true)
      common += 1;
    for (const { folder } of this.#open.splice(common)) await folder.close();
    for (const name of path.slice(common)) {
      const parent = this.#open.at(-1)?.folder ?? this.#top;
      await mkdir(parent.entry(name), { mode: NEW_FOLDER }).catch(ignoreExisting);
      this.#open.push({ name, folder: await parent.open(name) });
    }
    return this.#open.at(-1)?.folder ?? this.#top;
  }
}

/** Opens a folder below another one; the caller closes it. */
async function descend(top: Folder, path: MemberPath): Promise<Folder> {
  let folder = await top.open(Buffer.from('.'));
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

/** A later member of the same name takes the place of an earlier one. */
async function removeFile(at: Buffer): Promise<void> {
  try {
    await unlink(at);
  } catch (error) {
    if (errnoOf(error) === 'EISDIR' || errnoOf(error) === 'EPERM') throw errnoError('EISDIR', error);
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function ignoreExisting(error: unknown): void {
  if (errnoOf(error) !== 'EEXIST') throw error;
}
