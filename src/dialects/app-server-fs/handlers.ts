/** Serves `fs/*`: turns valid params into operations on files, and what they give into replies. Knows no transport. */
import { copy } from '../../files/copy.js';
import { createDirectory } from '../../files/create-directory.js';
import type { FileAccess } from '../../files/file-access.js';
import { readMetadata } from '../../files/metadata.js';
import { readDirectory } from '../../files/read-directory.js';
import { readFile, readFilePiece } from '../../files/read-file.js';
import { remove } from '../../files/remove.js';
import { writeFile } from '../../files/write-file.js';
import { rpcError } from '../../protocol/errors.js';
import type { MethodParams } from '../../protocol/methods.js';
import type { Session } from '../../session/session.js';
import { contentParts, decodeContent, MEMORY_PER_BYTE } from './content-parts.js';
import { asFileRpcError, copyRefusal, namingFile } from './file-refusals.js';
import type { HeldReplies } from './held-replies.js';
import type { SessionWatches } from './session-watches.js';

const DONE = {};

export interface FileHandlersOptions {
  readonly access: FileAccess;
  readonly watches: SessionWatches;
  /** Bytes of the largest file that is read whole. */
  readonly maxReadBytes: number;
  readonly replies: HeldReplies;
}

/** Makes the handlers over one way to files. */
export function createFileHandlers({ access, watches, maxReadBytes, replies }: FileHandlersOptions) {
  return {
    'fs/readFile': ({ path, offset, limit }: MethodParams<'fs/readFile'>, session: Session): Promise<unknown> =>
      operating(async () => {
        absolute(path);
        const { size } = await readMetadata(access, path);
        if (offset !== undefined || limit !== undefined) {
          const piece = { offset: offset ?? 0, limit: limit ?? Number.POSITIVE_INFINITY, maxBytes: maxReadBytes };
          const heldBytes = Math.min(size, piece.limit, maxReadBytes) * MEMORY_PER_BYTE;
          return replies.holding(session, heldBytes, async () => {
            const read = await readFilePiece(access, path, piece).catch((error: unknown) => {
              throw namingFile(error, path);
            });
            return { dataBase64: read.bytes.toString('base64'), size: read.size };
          });
        }
        return replies.holding(session, Math.min(size, maxReadBytes) * MEMORY_PER_BYTE, async () => {
          const bytes = await readFile(access, path, { maxBytes: maxReadBytes }).catch((error: unknown) => {
            throw namingFile(error, path);
          });
          return contentParts(bytes);
        });
      }),

    'fs/writeFile': ({ path, dataBase64 }: MethodParams<'fs/writeFile'>): Promise<unknown> =>
      operating(async () => {
        absolute(path);
        await writeFile(access, path, decodeContent(dataBase64)).catch((error: unknown) => {
          throw namingFile(error, path);
        });
        return DONE;
      }),

    'fs/createDirectory': ({ path, recursive }: MethodParams<'fs/createDirectory'>): Promise<unknown> =>
      operating(async () => {
        absolute(path);
        await createDirectory(access, path, { recursive: recursive ?? true });
        return DONE;
      }),

    'fs/getMetadata': ({ path }: MethodParams<'fs/getMetadata'>): Promise<unknown> =>
      operating(async () => {
        absolute(path);
        const { isDirectory, isFile, isSymlink, createdAtMs, modifiedAtMs } = await readMetadata(access, path);
        return { isDirectory, isFile, isSymlink, createdAtMs, modifiedAtMs };
      }),

    'fs/readDirectory': ({ path }: MethodParams<'fs/readDirectory'>): Promise<unknown> =>
      operating(async () => {
        absolute(path);
        const entries = await readDirectory(access, path);
        return {
          entries: entries.map(({ name, isDirectory, isFile }) => ({ fileName: name.toString(), isDirectory, isFile })),
        };
      }),

    'fs/remove': ({ path, recursive, force }: MethodParams<'fs/remove'>): Promise<unknown> =>
      operating(async () => {
        absolute(path);
        await remove(access, path, { recursive: recursive ?? true, force: force ?? true });
        return DONE;
      }),

    'fs/copy': ({ sourcePath, destinationPath, recursive }: MethodParams<'fs/copy'>): Promise<unknown> =>
      operating(async () => {
        absolute(sourcePath);
        absolute(destinationPath);
        await copy(access, { from: sourcePath, to: destinationPath }, { recursive: recursive ?? false }).catch(
          (error: unknown) => {
            throw copyRefusal(error);
          },
        );
        return DONE;
      }),

    'fs/watch': ({ watchId, path }: MethodParams<'fs/watch'>, session: Session): Promise<unknown> =>
      operating(async () => {
        absolute(path);
        await watches.watch(session, watchId, { access, path });
        return { path };
      }),

    'fs/unwatch': ({ watchId }: MethodParams<'fs/unwatch'>, session: Session): unknown => {
      watches.unwatch(session, watchId);
      return DONE;
    },
  };
}

async function operating<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw asFileRpcError(error);
  }
}

/** @throws {RpcError} relativePath */
function absolute(path: string): void {
  if (!path.startsWith('/')) throw rpcError('relativePath');
}
