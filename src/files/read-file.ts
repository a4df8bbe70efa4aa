/** Opens a file for reading, and reads a whole one. Knows no wire. */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { type FileAccess, holding } from './file-access.js';
import { FileError, filing } from './file-error.js';
import { absolutePath, type FilePath } from './file-path.js';

/** Never waits for the writer of a named pipe, and never makes a terminal the server's own. */
const FOR_READING = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
/** Bytes asked for in one read of a file whose size is not known, such as those of /proc. */
const CHUNK_BYTES = 64 * 1024;

/** An open file. The caller closes `handle`. */
export interface OpenedFile {
  readonly handle: FileHandle;
  readonly stats: BigIntStats;
}

/** The size of an open file. @throws {FileError} `tooLarge` beyond 2^53: a sparse file may say so, and no offset in it could be named */
export function exactSize({ size }: BigIntStats): number {
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw new FileError('tooLarge', `a file of ${size} bytes is too large`);
  return Number(size);
}

/**
 * Opens a regular file for reading, links followed.
 * @throws {FileError} `notAFile` for folders, devices, pipes and sockets, which are not opened
 */
export function openFile(access: FileAccess, path: FilePath): Promise<OpenedFile> {
  return filing(() => holding(access.reach(absolutePath(path), 'read'), ({ path: at }) => openRegular(access, at)));
}

/** Opens what a path of `node:fs` names, which the caller came to by `access`. @param flags added to those for reading, such as O_NOFOLLOW */
export async function openRegular(access: FileAccess, at: Buffer, flags = 0): Promise<OpenedFile> {
  // BEFORE the open, because opening a device may do something.
  if (flags === 0) requireFile(await stat(at, { bigint: true }));
  const handle = await open(at, FOR_READING | flags);
  try {
    const stats = await handle.stat({ bigint: true });
    requireFile(stats);
    await access.checkContent(handle, stats);
    return { handle, stats };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function requireFile(stats: BigIntStats): void {
  if (!stats.isFile()) throw new FileError('notAFile', 'the path is not a file');
}

/** How much may be read. */
export interface ReadBound {
  readonly maxBytes: number;
  /** Told how many bytes the result takes in all, before they are read, and again when the file turns out to be longer. May throw. Default: nobody is told. */
  readonly reserve?: ((bytes: number) => void) | undefined;
}

/**
 * Reads a whole file.
 * @throws {FileError} `tooLarge` beyond `maxBytes`
 */
export async function readFile(access: FileAccess, path: FilePath, bound: ReadBound): Promise<Buffer> {
  const { handle, stats } = await openFile(access, path);
  try {
    return await filing(() => readAll(handle, Number(stats.size), bound));
  } finally {
    await handle.close();
  }
}

/** A piece of a file. */
export interface FilePiece {
  readonly bytes: Buffer;
  /** Bytes of the whole file. */
  readonly size: number;
}

/**
 * Reads a piece of a file; empty behind its end.
 * @param piece `limit` in bytes; `maxBytes` bounds what a piece without or with a larger one may be
 * @throws {FileError} `tooLarge` for a piece beyond `maxBytes`
 */
export async function readFilePiece(
  access: FileAccess,
  path: FilePath,
  { offset, limit, ...bound }: ReadBound & { readonly offset: number; readonly limit: number },
): Promise<FilePiece> {
  const { handle, stats } = await openFile(access, path);
  try {
    const size = Number(stats.size);
    if (size === 0) {
      // Files such as those of /proc do not tell their size.
      const whole = await filing(() => readAll(handle, 0, bound));
      return { bytes: whole.subarray(offset, offset + limit), size: whole.length };
    }
    const wanted = Math.max(0, Math.min(limit, size - offset));
    if (wanted > bound.maxBytes) throw tooLarge(bound.maxBytes);
    bound.reserve?.(wanted);
    const bytes = Buffer.allocUnsafe(wanted);
    const read = await filing(() => fillFrom(handle, bytes, offset));
    return { bytes: bytes.subarray(0, read), size };
  } finally {
    await handle.close();
  }
}

/** Reads until a buffer is full or the file ends: one read may give less than was asked for, and a file may shrink meanwhile. @returns bytes read */
export async function fillFrom(handle: FileHandle, bytes: Buffer, offset: number): Promise<number> {
  let total = 0;
  while (total < bytes.length) {
    const { bytesRead } = await handle.read(bytes, total, bytes.length - total, offset + total);
    if (bytesRead === 0) break;
    total += bytesRead;
  }
  return total;
}

/** Reads an open file to its end. @param size what the file tells; 0 where it does not tell @throws {FileError} `tooLarge` */
export async function readAll(handle: FileHandle, size: number, { maxBytes, reserve }: ReadBound): Promise<Buffer> {
  if (size > maxBytes) throw tooLarge(maxBytes);
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    // One byte more than the size, so that the end of an ordinary file is found without a second buffer.
    const wanted = size > 0 && total <= size ? size + 1 - total : CHUNK_BYTES;
    const most = Math.min(wanted, maxBytes + 1 - total);
    // BEFORE the memory is taken: a file may grow while it is read.
    reserve?.(total + most);
    const chunk = Buffer.allocUnsafe(most);
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, null);
    total += bytesRead;
    if (total > maxBytes) throw tooLarge(maxBytes);
    if (bytesRead > 0) chunks.push(chunk.subarray(0, bytesRead));
    // A file that tells its size ends where a read gives all of it and less than was asked for.
    if (bytesRead === 0 || (total === size && bytesRead < most)) {
      return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, total);
    }
  }
}

function tooLarge(maxBytes: number): FileError {
  return new FileError('tooLarge', `file is too large to read: limit is ${maxBytes} bytes`);
}
