/** Copies files and folders between this machine and a server, with the rules of `docker cp` for what is there already. Knows no flag. */
import { stat } from 'node:fs/promises';
import { basename, dirname, posix, resolve } from 'node:path';
import { errnoOf, type FileError } from '../files/file-error.js';
import { CliError } from './exit-codes.js';
import type { FileClient, RemoteKind } from './file-client.js';
import { standardOutput } from './out-stream.js';

const NOTHING_THERE = new Set(['ENOENT', 'ENOTDIR']);

/** One side of a copy. `-` is a tar stream. */
export interface CopySide {
  readonly isRemote: boolean;
  /** As it was written, without the colon. */
  readonly text: string;
}

export interface Copying {
  readonly source: CopySide;
  readonly target: CopySide;
  readonly files: FileClient;
  /** Told of every piece. */
  readonly onBytes: (bytes: number) => void;
  /** Told the name of each pipe, socket and device that is not copied. */
  readonly onLeftOut: (name: string) => void;
}

/** @throws {CliError} in one line */
export async function copyFiles(copying: Copying): Promise<void> {
  const { source, target } = copying;
  try {
    await (source.isRemote ? download(copying) : upload(copying));
  } catch (error) {
    // Failures of the server's side are CliErrors already.
    if (!isFileError(error)) throw error;
    const path = source.isRemote ? target.text : source.text;
    throw new CliError(`${path}: ${error.message}`, undefined, { reason: error.reason });
  }
}

/** By its name, because its class is in another bundle. */
function isFileError(error: unknown): error is FileError {
  return error instanceof Error && error.name === 'FileError';
}

async function upload({ source, target, files, onBytes, onLeftOut }: Copying): Promise<void> {
  const kind = await files.kindOf(target.text);
  if (source.text === '-') {
    if (kind !== 'folder') throw new CliError(`:${target.text} is no folder: a tar is unpacked into one that is there`);
    return files.unpack(target.text, counting(process.stdin, onBytes));
  }
  const isFolder = (await stat(source.text).catch(missing(source.text))).isDirectory();
  const place = placeOf({ source, isFolder, target, kind });
  if (kind === undefined && (await files.kindOf(place.folder)) !== 'folder') throw noFolder(`:${place.folder}`);
  const { openLocal, packLocal } = await import('./local-tree.js');
  if (isFolder || kind === 'folder') {
    const { pieces, close } = await packLocal(resolve(source.text), { prefix: place.name, onLeftOut });
    return files.unpack(place.folder, counting(pieces, onBytes)).finally(close);
  }
  const { pieces, close, ...rights } = await openLocal(resolve(source.text));
  return files.put(target.text, counting(pieces, onBytes), rights).finally(close);
}

async function download({ source, target, files, onBytes, onLeftOut }: Copying): Promise<void> {
  if (target.text === '-') {
    const name = hasDot(source.text) ? '' : basename(source.text);
    const { bytes } = await files.tarOf(source.text, { prefix: name, onLeftOut });
    const out = standardOutput();
    for await (const chunk of counting(bytes, onBytes)) await out.write(chunk);
    return out.flush();
  }
  const isFolder = (await files.kindOfSource(source.text)) === 'folder';
  const kind = await localKindOf(target.text);
  const place = placeOf({ source, isFolder, target, kind });
  if (kind === undefined && (await localKindOf(place.folder)) !== 'folder') throw noFolder(place.folder);
  const tar = await files.tarOf(source.text, { prefix: isFolder ? place.name : '', onLeftOut });
  if ((tar.kind === 'folder') !== isFolder) throw new CliError(`:${source.text} has just become something else`);
  const bytes = counting(tar.bytes, onBytes);
  const { unpackLocal, writeLocal } = await import('./local-tree.js');
  if (isFolder) return unpackLocal(resolve(place.folder), bytes);
  if (kind === 'folder') return unpackLocal(resolve(place.folder), bytes, { fileName: Buffer.from(place.name) });
  return writeLocal(resolve(target.text), bytes);
}

interface Placing {
  readonly source: CopySide;
  readonly isFolder: boolean;
  readonly target: CopySide;
  /** What the target is now. */
  readonly kind: RemoteKind;
}

/**
 * Where the copy will be: a folder that is there, links followed, and the name in it, which is never followed, because the user has not written it.
 * No name stands for what is in the source.
 */
interface Place {
  readonly folder: string;
  readonly name: string;
}

/** As `docker cp` decides. @throws {CliError} */
function placeOf({ source, isFolder, target, kind }: Placing): Place {
  const shown = `${target.isRemote ? ':' : ''}${target.text}`;
  if (kind === 'folder') {
    if (isFolder && hasDot(source.text)) return { folder: target.text, name: '' };
    // The name of `..` is that of the folder which it stands for.
    return {
      folder: target.text,
      name: basename(source.isRemote ? posix.normalize(source.text) : resolve(source.text)),
    };
  }
  if (kind === 'file' && isFolder) throw new CliError(`${shown} is a file: a folder cannot be copied there`);
  if (target.text.endsWith('/') && (kind === 'file' || !isFolder)) throw noFolder(shown);
  const path = target.isRemote ? posix.normalize(target.text) : target.text;
  return { folder: dirname(path), name: basename(path) };
}

function noFolder(shown: string): CliError {
  return new CliError(`${shown} is no folder: make it first`);
}

/** `SRC/.` stands for what is in it. */
function hasDot(path: string): boolean {
  return path === '.' || path.endsWith('/.');
}

/** What a path is, links followed; undefined for nothing, also for a link that leads to nothing. @throws {CliError} for what is no file and no folder */
async function localKindOf(path: string): Promise<RemoteKind> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) return 'folder';
    if (stats.isFile()) return 'file';
  } catch (error) {
    if (NOTHING_THERE.has(errnoOf(error) ?? '')) return undefined;
    missing(path)(error);
  }
  throw new CliError(`${path} is a device, a pipe or a socket: nothing can be copied there`);
}

function missing(path: string): (error: unknown) => never {
  return (error) => {
    throw new CliError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  };
}

async function* counting(
  source: AsyncIterable<Buffer | string>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Buffer, void, void> {
  for await (const chunk of source) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    onBytes(bytes.length);
    yield bytes;
  }
}
