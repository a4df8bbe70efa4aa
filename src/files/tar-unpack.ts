/**
 * Unpacks a tar into a folder: first into a folder of its own in it, and only when the whole archive was read and is harmless, from there to the
 * members' places. Each step names an entry of an open folder and follows no link. Knows no wire.
 */
import { constants } from 'node:fs';
import { chmod, type FileHandle, link, mkdir, open, symlink, unlink } from 'node:fs/promises';
import { createDirectory } from './create-directory.js';
import { type FileAccess, type Folder, holding } from './file-access.js';
import { asFileError, errnoError, errnoOf, FileError, filing } from './file-error.js';
import { absolutePath, checkName, type FilePath, joinPath } from './file-path.js';
import { type FolderRights, RightsOfFolders, setRights } from './folder-rights.js';
import { lstatIfThere } from './lstat-if-there.js';
import { descend } from './open-folder.js';
import { Placing } from './put-in-place.js';
import { entriesOf } from './read-directory.js';
import { remove } from './remove.js';
import { type MemberPath, readTar, type TarConsumer, type TarMember, type TarRules } from './tar-read.js';
import { temporaryName } from './temporary-name.js';

const PRIVATE_FOLDER = 0o700;
const NEW_FOLDER = 0o777;
const PRIVATE_FILE = 0o600;
const MAX_DEPTH = 256;
const MAX_FOLDER_PATH_BYTES = 16 * 1024 * 1024;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export interface UnpackOptions extends TarRules {
  /** The archive is one file, which gets this name. Default: members have their own. */
  readonly fileName?: Buffer;
  /** Bytes of the paths of all folders in the archive together, which are kept until its end. Default 16 MiB. */
  readonly maxFolderPathBytes?: number;
}

/**
 * Unpacks into a folder, which is made if it is missing. Members replace files of the same name and join folders of the same name; modes and times are
 * kept, those of the folder itself only if it was missing. Owners are not.
 * @throws {FileError} `invalid` for a hostile member or a broken archive, and then nothing was unpacked; `exists` when a file and a folder have the same name;
 *   `notAFile`, `denied`, `otherDevice` when something cannot be put in its place, and then nothing was either
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
      await holding(access.openFolder(clean, 'write'), async (folder) => {
        const rights = await unpackInto(access, { clean, folder, isNew, source }, options);
        // LAST, because nothing could be removed from a folder that may not be written.
        if (isNew && rights !== undefined) await setRights(folder, rights);
      });
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
  /** Whether the folder was made for the archive. */
  readonly isNew: boolean;
  readonly source: AsyncIterable<Buffer>;
}

/** @returns what the archive says of the folder itself */
async function unpackInto(
  access: FileAccess,
  { clean, folder, isNew, source }: Work,
  options: UnpackOptions,
): Promise<FolderRights | undefined> {
  return withTemporary(access, { clean, folder }, (top) =>
    withTemporary(access, { clean, folder }, async (kept) => {
      const staging = new Staging(top, options);
      try {
        await readTar(source, staging, options);
        await checkTop(access, clean, top);
        const placing = new Placing(access, { from: top, to: folder, kept });
        await placing.check();
        await staging.rights.check(folder);
        // Nobody else comes to what is in it until it has its own mode.
        if (isNew && staging.ownRights !== undefined) await chmod(folder.path, PRIVATE_FOLDER);
        await placeAll(placing, staging.rights, folder);
        return staging.ownRights;
      } finally {
        await staging.close();
      }
    }),
  );
}

/** Makes a folder that nobody else knows, and removes it with everything in it. */
async function withTemporary<T>(
  access: FileAccess,
  { clean, folder }: { readonly clean: Buffer; readonly folder: Folder },
  use: (temporary: Folder) => Promise<T>,
): Promise<T> {
  const name = temporaryName();
  // Comes to the name by the access, which refuses places that may not be written.
  await holding(access.enter(joinPath(clean, name), 'write'), (entry) => mkdir(entry.path, { mode: PRIVATE_FOLDER }));
  try {
    return await holding(folder.open(name), use);
  } finally {
    await remove(access, joinPath(clean, name), { recursive: true, force: true }).catch(() => {});
  }
}

/** Puts everything in place, or nothing. */
async function placeAll(placing: Placing, rights: RightsOfFolders, folder: Folder): Promise<void> {
  try {
    await placing.place();
    await rights.set(folder);
  } catch (error) {
    const haveRights = await rights.undo(folder);
    if ((await placing.undo()) && haveRights) throw error;
    const failure = asFileError(error);
    if (!(failure instanceof FileError)) throw error;
    throw new FileError(failure.reason, `${failure.message}; what was unpacked before could not all be taken back`, {
      cause: error,
    });
  }
}

/** Names at the top may be protected. */
async function checkTop(access: FileAccess, clean: Buffer, staging: Folder): Promise<void> {
  for await (const { name } of entriesOf(staging)) {
    await (await access.enter(joinPath(clean, name), 'write')).close();
  }
}

/** Writes members into a folder that nobody else knows. */
class Staging implements TarConsumer {
  readonly #top: Folder;
  readonly #fileName: Buffer | undefined;
  /** The open folders on the way to the last member. */
  readonly #open: { readonly name: Buffer; readonly folder: Folder }[] = [];
  /** Of the folders in the archive. */
  readonly rights: RightsOfFolders;
  /** Of the folder that is unpacked to; undefined if the archive says nothing of it. */
  ownRights: FolderRights | undefined;
  #file: { readonly handle: FileHandle; readonly member: TarMember & { kind: 'file' } } | undefined;

  constructor(top: Folder, { fileName, maxFolderPathBytes = MAX_FOLDER_PATH_BYTES }: UnpackOptions) {
    this.#top = top;
    this.#fileName = fileName;
    this.rights = new RightsOfFolders(maxFolderPathBytes);
  }

  async begin(member: TarMember): Promise<void> {
    const path = this.#fileName === undefined ? member.path : [this.#fileName];
    if (this.#fileName !== undefined && (member.kind !== 'file' || member.path.length > 1)) {
      throw new FileError('invalid', 'nothing was unpacked: one file was expected, and the tar has something else');
    }
    const name = path.at(-1);
    if (name === undefined && member.kind === 'directory') {
      this.ownRights = member;
      return;
    }
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
      if (modifiedAtMs !== undefined) await file.handle.utimes(new Date(modifiedAtMs), new Date(modifiedAtMs));
    } finally {
      await file.handle.close();
    }
  }

  async close(): Promise<void> {
    await this.#file?.handle.close().catch(() => {});
    for (const { folder } of this.#open) await folder.close();
  }

  async #makeFolder(member: TarMember & { kind: 'directory' }): Promise<void> {
    // As for the folder itself.
    await chmod((await this.#folderOf(member.path)).path, PRIVATE_FOLDER);
    this.rights.add(member.path, member);
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
