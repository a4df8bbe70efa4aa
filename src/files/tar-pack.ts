/**
 * Writes a tar stream of a file or folder, piece by piece. Only files, folders and symbolic links are in it; the server's secrets, devices, pipes and
 * sockets are left out, and the caller is told so. Knows no wire.
 */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, readlink, stat } from 'node:fs/promises';
import { Header } from 'tar/header';
import { Pax } from 'tar/pax';
import { type FileAccess, type Folder, holding } from './file-access.js';
import { FileError, filing } from './file-error.js';
import { absolutePath, type FilePath, splitPath } from './file-path.js';
import { entriesOf } from './read-directory.js';
import { exactSize, type OpenedFile, openFile, openRegular, readAll } from './read-file.js';
import { MAX_DEPTH } from './remove.js';
import { isTemporaryName } from './temporary-name.js';

const BLOCK_BYTES = 512;
/** Bytes that are in memory at a time. */
const CHUNK_BYTES = 256 * 1024;
/** Two empty blocks end an archive. */
const END = Buffer.alloc(2 * BLOCK_BYTES);
const MODE_BITS = 0o777n;
/** Most bytes of a file that does not tell its size, such as those of /proc: it is read before its header is written. */
const UNSIZED = { maxBytes: 8 * 1024 * 1024 } as const;

export interface PackOptions {
  /** Put before the names of a folder's members, or the name of a file. Default: none. */
  readonly prefix?: string;
  /** Told the name of each pipe, socket, device and secret that is left out. Default: nobody is told. */
  readonly onLeftOut?: ((name: string) => void) | undefined;
  /** Whether only headers are wanted: finds what cannot be packed without reading the files. Default false. */
  readonly skipsContent?: boolean;
}

/** What every step of one archive needs. */
interface Packing {
  readonly access: FileAccess;
  readonly onLeftOut: (name: string) => void;
  readonly skipsContent: boolean;
  /** Characters of a member's name that are not of the file's own path below the packed folder, and that no message has. */
  readonly prefixLength: number;
}

/** A stream that has begun: what it packs is there and can be opened. */
export interface TarStream {
  readonly isFolder: boolean;
  /** @throws {FileError} when something cannot be read */
  readonly pieces: AsyncGenerator<Buffer, void, void>;
  /** To be called when the pieces are not wanted any more, also when none was read: a generator that has not begun closes nothing itself. */
  close(): Promise<void>;
}

/**
 * Packs a folder, whose members are named from it (`.`, `a`, `a/b`), or a file, which is one member by its name. Links at the path itself are followed.
 * @throws {FileError} when it cannot be opened
 */
export function packTar(
  access: FileAccess,
  path: FilePath,
  { prefix = '', onLeftOut = () => {}, skipsContent = false }: PackOptions = {},
): Promise<TarStream> {
  return filing(async () => {
    const clean = absolutePath(path);
    const packing = { access, onLeftOut, skipsContent, prefixLength: 0 };
    const stats = await holding(access.reach(clean, 'read'), (reached) => stat(reached.path, { bigint: true }));
    if (!stats.isDirectory()) {
      const opened = await openFile(access, clean);
      const name = prefix === '' ? nameText(splitPath(clean).name) : prefix;
      return streamOf(false, packFile(packing, opened, name), () => opened.handle.close());
    }
    const folder = await access.openFolder(clean, 'read');
    const before = prefix === '' ? '' : `${prefix}/`;
    const pieces = packAll({ ...packing, prefixLength: before.length }, folder, { stats, prefix: before });
    return streamOf(true, pieces, () => folder.close());
  });
}

/** A stream that releases what it holds, however it ends. */
function streamOf(
  isFolder: boolean,
  pieces: AsyncGenerator<Buffer, void, void>,
  release: () => Promise<void>,
): TarStream {
  let closing: Promise<void> | undefined;
  return {
    isFolder,
    pieces,
    close() {
      // Waits for a piece that is being read.
      closing ??= pieces.return().then(release, release);
      return closing;
    },
  };
}

async function* packFile(packing: Packing, opened: OpenedFile, name: string): AsyncGenerator<Buffer, void, void> {
  yield* contentOf(packing, opened, name);
  yield END;
}

async function* packAll(
  packing: Packing,
  folder: Folder,
  { stats, prefix }: { readonly stats: BigIntStats; readonly prefix: string },
): AsyncGenerator<Buffer, void, void> {
  yield headerOf({ path: prefix === '' ? './' : prefix, type: 'Directory', size: 0, stats });
  yield* packEntries(packing, folder, { prefix, depth: 0 });
  yield END;
}

async function* packEntries(
  packing: Packing,
  folder: Folder,
  { prefix, depth }: { readonly prefix: string; readonly depth: number },
): AsyncGenerator<Buffer, void, void> {
  if (depth > MAX_DEPTH) throw new FileError('tooLarge', `the folder is nested deeper than ${MAX_DEPTH} levels`);
  // In the order of the folder: a folder of any size is packed, and none is ever held in memory.
  for await (const { name } of entriesOf(folder)) {
    if (!isTemporaryName(name)) yield* packEntry(packing, folder, { name, path: prefix + nameText(name), depth });
  }
}

async function* packEntry(
  packing: Packing,
  folder: Folder,
  { name, path, depth }: { readonly name: Buffer; readonly path: string; readonly depth: number },
): AsyncGenerator<Buffer, void, void> {
  const at = folder.entry(name);
  const stats = await filing(() => lstat(at, { bigint: true }));
  if (stats.isDirectory()) {
    yield headerOf({ path: `${path}/`, type: 'Directory', size: 0, stats });
    const inner = await naming(packing, path, () => folder.open(name));
    try {
      yield* packEntries(packing, inner, { prefix: `${path}/`, depth: depth + 1 });
    } finally {
      await inner.close();
    }
  } else if (stats.isSymbolicLink()) {
    const linkpath = nameText((await filing(() => readlink(at, { encoding: 'buffer' }))) as Buffer);
    yield headerOf({ path, type: 'SymbolicLink', size: 0, stats, linkpath });
  } else if (stats.isFile()) {
    const opened = await naming(packing, path, () => openServed(packing.access, at));
    if (opened === undefined) return packing.onLeftOut(path.slice(packing.prefixLength));
    try {
      yield* contentOf(packing, opened, path);
    } finally {
      await opened.handle.close();
    }
  } else packing.onLeftOut(path.slice(packing.prefixLength));
}

/** @returns undefined for one of the server's secrets */
async function openServed(access: FileAccess, at: Buffer): Promise<OpenedFile | undefined> {
  try {
    return await openRegular(access, at, constants.O_NOFOLLOW);
  } catch (error) {
    if (error instanceof FileError && error.reason === 'denied') return undefined;
    return filing(() => Promise.reject(error));
  }
}

/** A file as the archive has it. */
async function* contentOf(
  packing: Packing,
  { handle, stats }: OpenedFile,
  path: string,
): AsyncGenerator<Buffer, void, void> {
  const told = await naming(packing, path, async () => exactSize(stats));
  // A file of /proc says 0 and has content.
  const whole =
    told > 0 || packing.skipsContent ? undefined : await naming(packing, path, () => readAll(handle, 0, UNSIZED));
  const size = whole?.length ?? told;
  yield headerOf({ path, type: 'File', size, stats });
  if (packing.skipsContent) return;
  if (whole !== undefined) yield whole;
  else yield* sizedContent(packing, { handle, size, path });
  const padding = (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
  if (padding > 0) yield Buffer.alloc(padding);
}

async function* sizedContent(
  packing: Packing,
  { handle, size, path }: { readonly handle: FileHandle; readonly size: number; readonly path: string },
): AsyncGenerator<Buffer, void, void> {
  for (let left = size; left > 0; ) {
    const chunk = Buffer.allocUnsafe(Math.min(left, CHUNK_BYTES));
    const { bytesRead } = await naming(packing, path, () => handle.read(chunk, 0, chunk.length, null));
    // The header has promised its size.
    if (bytesRead === 0) throw new FileError('failed', `${path} became shorter while it was read`);
    left -= bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

interface Member {
  readonly path: string;
  readonly type: 'File' | 'Directory' | 'SymbolicLink';
  readonly size: number;
  readonly stats: BigIntStats;
  readonly linkpath?: string;
}

function headerOf({ path, type, size, stats, linkpath }: Member): Buffer {
  const fields = {
    path,
    size,
    mode: Number(stats.mode & MODE_BITS),
    mtime: stats.mtime,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    type,
    ...(linkpath === undefined ? {} : { linkpath }),
  };
  const header = new Header(fields);
  const needsMore = header.encode();
  const block = header.block ?? Buffer.alloc(0);
  return needsMore ? Buffer.concat([new Pax(fields).encode(), block]) : block;
}

/** Runs an operation, and says in its error with which of all the files it failed. */
async function naming<T>({ prefixLength }: Packing, path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await filing(operation);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    const { reason, message, errno } = error;
    throw new FileError(reason, `${path.slice(prefixLength)}: ${message}`, {
      cause: error,
      ...(errno === undefined ? {} : { errno }),
    });
  }
}

/** @throws {FileError} for a name that is no UTF-8, which the archive would change */
function nameText(name: Buffer): string {
  const text = name.toString();
  if (!Buffer.from(text).equals(name)) {
    throw new FileError(
      'invalid',
      `a name is no UTF-8 and cannot be in a tar: ${JSON.stringify(name.toString('latin1'))}`,
    );
  }
  return text;
}
