/**
 * This machine's files for `cp`: folders as tar streams, files by themselves. A bundle of its own, because the other commands start faster without the
 * code of archives. The `FileError`s that it throws are therefore of another copy of that class: callers look at their name. Knows no server.
 */
import type { FileHandle } from 'node:fs/promises';
import { FileError, filing } from '../files/file-error.js';
import { PlainAccess } from '../files/plain-access.js';
import { openFile } from '../files/read-file.js';
import { SecretFiles } from '../files/secret-files.js';
import { type PackOptions, packTar, type TarStream } from '../files/tar-pack.js';
import { readTar, type TarConsumer, type TarMember } from '../files/tar-read.js';
import { type UnpackOptions, unpackTar } from '../files/tar-unpack.js';
import { beginWrite, type PendingFile } from '../files/write-file.js';

const MODE_BITS = 0o777n;
const NS_PER_MS = 1_000_000n;
/** Bytes that are in memory at a time. */
const CHUNK_BYTES = 256 * 1024;

const local = new PlainAccess(new SecretFiles([]));

/** Packs a folder or a file, as {@link packTar} does. */
export function packLocal(path: string, options: PackOptions): Promise<TarStream> {
  return packTar(local, path, options);
}

/** Unpacks into a folder, as {@link unpackTar} does. Links are kept as they are and never followed, so nothing is written elsewhere. */
export function unpackLocal(path: string, source: AsyncIterable<Buffer>, options: UnpackOptions = {}): Promise<void> {
  return unpackTar(local, { path, source }, { ...options, allowsLinksOut: true });
}

/** A file that is open for reading. */
export interface LocalFile {
  /** Permission bits. */
  readonly mode: number;
  /** Milliseconds since 1970. */
  readonly modifiedAtMs: number;
  /** Its content up to its end, whatever size it tells. @throws {FileError} */
  readonly pieces: AsyncIterable<Buffer>;
  close(): Promise<void>;
}

/** Opens a file, links followed. @throws {FileError} `notAFile` */
export async function openLocal(path: string): Promise<LocalFile> {
  const { handle, stats } = await openFile(local, path);
  return {
    mode: Number(stats.mode & MODE_BITS),
    modifiedAtMs: Number(stats.mtimeNs / NS_PER_MS),
    pieces: contentOf(handle),
    close: () => handle.close(),
  };
}

async function* contentOf(handle: FileHandle): AsyncGenerator<Buffer, void, void> {
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const { bytesRead } = await filing(() => handle.read(chunk, 0, chunk.length, null));
    if (bytesRead === 0) return;
    yield chunk.subarray(0, bytesRead);
  }
}

/**
 * Writes the one file of a tar to a path; links are followed, also one that leads to nothing yet. The old file stays until the tar is whole.
 * @throws {FileError} `notAFile` where a device, a pipe or a socket is; `invalid` for a tar of something else
 */
export async function writeLocal(path: string, source: AsyncIterable<Buffer>): Promise<void> {
  const file = new OneFile(path);
  try {
    await readTar(source, file);
    await file.commit();
  } catch (error) {
    await file.abort();
    throw error;
  }
}

class OneFile implements TarConsumer {
  readonly #path: string;
  #pending: PendingFile | undefined;
  #modifiedAtMs: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async begin(member: TarMember): Promise<void> {
    if (member.kind !== 'file' || this.#pending !== undefined) throw notOne();
    this.#pending = await beginWrite(local, this.#path, { mode: member.mode });
    this.#modifiedAtMs = member.modifiedAtMs;
  }

  async content(bytes: Buffer): Promise<void> {
    await this.#pending?.write(bytes);
  }

  async end(): Promise<void> {}

  async commit(): Promise<void> {
    if (this.#pending === undefined) throw notOne();
    await this.#pending.commit(this.#modifiedAtMs === undefined ? undefined : { modifiedAtMs: this.#modifiedAtMs });
  }

  async abort(): Promise<void> {
    await this.#pending?.abort();
  }
}

function notOne(): FileError {
  return new FileError('invalid', 'nothing was written: one file was expected, and the tar has something else');
}
