/** Copies files and folders between this machine and a server, with the rules of `docker cp` for what is there already. Knows no flag. */
import { lstat, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { FileError } from '../files/file-error.js';
import { CliError } from './exit-codes.js';
import type { FileClient, RemoteKind } from './file-client.js';
import { standardOutput } from './out-stream.js';

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
}

/** @throws {CliError} in one line */
export async function copyFiles({ source, target, files, onBytes }: Copying): Promise<void> {
  try {
    await (source.isRemote ? download({ source, target, files, onBytes }) : upload({ source, target, files, onBytes }));
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

async function upload({ source, target, files, onBytes }: Copying): Promise<void> {
  const kind = await files.kindOf(target.text);
  if (source.text === '-') {
    if (kind !== 'folder') throw new CliError(`:${target.text} is no folder: a tar is unpacked into one that is there`);
    return files.unpack(target.text, counting(process.stdin, onBytes));
  }
  const isFolder = (await stat(source.text).catch(missing(source.text))).isDirectory();
  const place = placeOf({ source: source.text, isFolder, target: target.text, kind });
  const { packLocal } = await import('./local-tree.js');
  if (isFolder) {
    const { pieces, close } = await packLocal(resolve(source.text));
    return files.unpack(place, counting(pieces, onBytes)).finally(close);
  }
  // One file goes in a tar, too, so that its mode and time are kept.
  const folder = dirname(place);
  if (kind === undefined && (await files.kindOf(folder)) !== 'folder') throw new CliError(`:${folder} is no folder`);
  const { pieces, close } = await packLocal(resolve(source.text), basename(place));
  return files.unpack(folder, counting(pieces, onBytes)).finally(close);
}

async function download({ source, target, files, onBytes }: Copying): Promise<void> {
  const copiesContent = hasDot(source.text);
  if (target.text === '-') {
    const name = basename(source.text);
    const { bytes } = await files.tarOf(source.text, copiesContent ? '' : name);
    const out = standardOutput();
    for await (const chunk of counting(bytes, onBytes)) await out.write(chunk);
    return out.flush();
  }
  const { kind, bytes } = await files.tarOf(source.text);
  const place = placeOf({
    source: source.text,
    isFolder: kind === 'folder',
    target: target.text,
    kind: await localKindOf(target.text),
  });
  const { unpackLocal } = await import('./local-tree.js');
  if (kind === 'folder') return unpackLocal(resolve(place), counting(bytes, onBytes));
  const folder = resolve(dirname(place));
  if ((await localKindOf(folder)) !== 'folder') throw new CliError(`${dirname(place)} is no folder`);
  return unpackLocal(folder, counting(bytes, onBytes), { fileName: Buffer.from(basename(place)) });
}

interface Placing {
  readonly source: string;
  readonly isFolder: boolean;
  readonly target: string;
  /** What the target is now. */
  readonly kind: RemoteKind;
}

/** Where the copy will be, as `docker cp` decides. @throws {CliError} */
function placeOf({ source, isFolder, target, kind }: Placing): string {
  if (kind === 'file') {
    if (isFolder) throw new CliError(`${target} is a file: a folder cannot be copied there`);
    if (target.endsWith('/')) throw new CliError(`${target} is no folder`);
    return target;
  }
  if (kind === undefined) {
    if (!isFolder && target.endsWith('/')) throw new CliError(`${target} is no folder: make it first`);
    return withoutSlashes(target);
  }
  if (isFolder && hasDot(source)) return withoutSlashes(target);
  const name = basename(withoutSlashes(resolve('/', source)));
  if (name === '') return withoutSlashes(target);
  return `${withoutSlashes(target) === '/' ? '' : withoutSlashes(target)}/${isFolder || !hasDot(source) ? name : basename(source)}`;
}

/** `SRC/.` stands for what is in it. */
function hasDot(path: string): boolean {
  return path === '.' || path.endsWith('/.');
}

function withoutSlashes(path: string): string {
  const cut = path.replace(/\/+$/, '');
  return cut === '' ? '/' : cut;
}

async function localKindOf(path: string): Promise<RemoteKind> {
  const stats = await stat(path).catch(() => undefined);
  if (stats !== undefined) return stats.isDirectory() ? 'folder' : 'file';
  // A link to nothing would be replaced by the copy.
  return (await lstat(path).catch(() => undefined)) === undefined ? undefined : 'file';
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
