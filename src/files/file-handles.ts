/** Files that one client has open, by the names that it gave them. Knows no wire. */
import type { FileHandle } from 'node:fs/promises';
import type { FileAccess } from './file-access.js';
import { FileError, filing } from './file-error.js';
import type { FilePath } from './file-path.js';
import { fillFrom, openFile } from './read-file.js';
import { beginWrite, type PendingFile } from './write-file.js';

/** Most handles of one client, as in the reference. */
export const MAX_HANDLES = 128;
/** Bytes of the longest block, as in the reference. */
export const MAX_BLOCK_BYTES = 1024 * 1024;

/** `read` opens a file; `replace` writes a new one, which takes the name when the handle is closed. */
export type HandleMode = 'read' | 'replace';

/** One block of a file. */
export interface Block {
  readonly bytes: Buffer;
  /** Whether the file ends behind this block. */
  readonly isLast: boolean;
}

type Opened =
  | { readonly mode: 'read'; readonly handle: FileHandle }
  | { readonly mode: 'replace'; readonly file: PendingFile };

/** The open files of one client. `closeAll` must be called when the client leaves. */
export class FileHandles {
  readonly #access: FileAccess;
  /** Undefined while it is being opened. */
  readonly #open = new Map<string, Promise<Opened>>();
  #isClosed = false;

  constructor(access: FileAccess) {
    this.#access = access;
  }

  /** @throws {FileError} `handleExists`; `noRoom` beyond {@link MAX_HANDLES}; those of the open itself */
  async open(id: string, path: FilePath, mode: HandleMode): Promise<void> {
    if (this.#isClosed) throw new FileError('unknownHandle', 'the client has left');
    if (this.#open.has(id)) throw new FileError('handleExists', `file handle \`${id}\` already exists`);
    if (this.#open.size >= MAX_HANDLES) {
      throw new FileError('noRoom', `at most ${MAX_HANDLES} file handles may be open per connection`);
    }
    const opening = this.#start(path, mode);
    this.#open.set(id, opening);
    try {
      const opened = await opening;
      // The client left while the file was being opened.
      if (this.#isClosed) await drop(opened);
    } catch (error) {
      if (this.#open.get(id) === opening) this.#open.delete(id);
      throw error;
    }
  }

  /** @param length 1 to {@link MAX_BLOCK_BYTES} @throws {FileError} `unknownHandle`, `invalid` */
  async readBlock(id: string, offset: number, length: number): Promise<Block> {
    const opened = await this.#find(id);
    if (opened.mode !== 'read') throw new FileError('invalid', `file handle \`${id}\` is not open for reading`);
    checkBlock(offset, length);
    return filing(async () => {
      // One byte more than asked for tells whether the file ends here.
      const bytes = Buffer.allocUnsafe(length + 1);
      const total = await fillFrom(opened.handle, bytes, offset);
      return { bytes: bytes.subarray(0, Math.min(total, length)), isLast: total <= length };
    });
  }

  /** @throws {FileError} `unknownHandle`, `invalid`, `noSpace` */
  async writeBlock(id: string, offset: number, bytes: Buffer): Promise<void> {
    const opened = await this.#find(id);
    if (opened.mode !== 'replace') throw new FileError('invalid', `file handle \`${id}\` is not open for writing`);
    checkBlock(offset, bytes.length);
    await opened.file.write(bytes, offset);
  }

  /** Closes a file; one that was written takes its name now. @throws {FileError} `unknownHandle`, or why it cannot take the name */
  async close(id: string): Promise<void> {
    const opened = await this.#find(id);
    this.#open.delete(id);
    if (opened.mode === 'read') await opened.handle.close();
    else await opened.file.commit();
  }

  /** Closes all; what was written and not closed is dropped. */
  async closeAll(): Promise<void> {
    this.#isClosed = true;
    const opening = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(opening.map((opened) => opened.then(drop, () => {})));
  }

  async #start(path: FilePath, mode: HandleMode): Promise<Opened> {
    if (mode === 'read') return { mode, handle: (await openFile(this.#access, path)).handle };
    return { mode, file: await beginWrite(this.#access, path) };
  }

  #find(id: string): Promise<Opened> {
    const opened = this.#open.get(id);
    if (opened === undefined) throw new FileError('unknownHandle', `unknown file handle \`${id}\``);
    return opened;
  }
}

async function drop(opened: Opened): Promise<void> {
  if (opened.mode === 'read') await opened.handle.close().catch(() => {});
  else await opened.file.abort();
}

function checkBlock(offset: number, length: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(offset + MAX_BLOCK_BYTES + 1)) {
    throw new FileError('invalid', 'offset must be 0 or more');
  }
  if (!Number.isSafeInteger(length) || length < 1 || length > MAX_BLOCK_BYTES) {
    throw new FileError('invalid', `a block has 1 to ${MAX_BLOCK_BYTES} bytes`);
  }
}
