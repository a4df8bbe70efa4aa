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
import { refusing } from '../refusing.js';
import { contentBound, contentParts, decodeContent } from './content-parts.js';
import { entriesParts } from './entries-parts.js';
import { asFileRpcError, copyRefusal, namingFile } from './file-refusals.js';
import { type FileTurns, isThere } from './file-turns.js';
import type { HeldReplies } from './held-replies.js';
import type { SessionWatches } from './session-watches.js';

const DONE = {};

export interface FileHandlersOptions {
  readonly access: FileAccess;
  readonly watches: SessionWatches;
  /** Bytes of the largest file that is read whole. */
  readonly maxReadBytes: number;
  readonly replies: HeldReplies;
  readonly turns: FileTurns;
}

/** Makes the handlers over one way to files. */
export function createFileHandlers({ access, watches, maxReadBytes, replies, turns }: FileHandlersOptions) {
  return refusing(
    {
      'fs/readFile': turns.quickly(({ path, offset, limit }: MethodParams<'fs/readFile'>, session: Session) => {
        absolute(path);
        return replies.holding(session, async (reserve) => {
          const bound = contentBound(maxReadBytes, reserve);
          try {
            if (offset === undefined && limit === undefined) return contentParts(await readFile(access, path, bound));
            const piece = { offset: offset ?? 0, limit: limit ?? Number.POSITIVE_INFINITY, ...bound };
            const { bytes, size } = await readFilePiece(access, path, piece);
            return { dataBase64: bytes.toString('base64'), size };
          } catch (error) {
            throw namingFile(error, path);
          }
        });
      }),

      'fs/writeFile': turns.quickly(async ({ path, dataBase64 }: MethodParams<'fs/writeFile'>) => {
        absolute(path);
        await writeFile(access, path, decodeContent(dataBase64)).catch((error: unknown) => {
          throw namingFile(error, path);
        });
        return DONE;
      }),

      'fs/createDirectory': turns.quickly(async ({ path, recursive }: MethodParams<'fs/createDirectory'>) => {
        absolute(path);
        await createDirectory(access, path, { recursive: recursive ?? true });
        return DONE;
      }),

      'fs/getMetadata': turns.quickly(async ({ path }: MethodParams<'fs/getMetadata'>) => {
        absolute(path);
        const { isDirectory, isFile, isSymlink, createdAtMs, modifiedAtMs } = await readMetadata(access, path);
        return { isDirectory, isFile, isSymlink, createdAtMs, modifiedAtMs };
      }),

      'fs/readDirectory': ({ path }: MethodParams<'fs/readDirectory'>, session: Session): Promise<unknown> => {
        absolute(path);
        return turns.listing(session, isThere(session), async () => entriesParts(await readDirectory(access, path)));
      },

      'fs/remove': ({ path, recursive, force }: MethodParams<'fs/remove'>, session: Session): Promise<object> => {
        absolute(path);
        return turns.changing(session, async () => {
          await remove(access, path, { recursive: recursive ?? true, force: force ?? true });
          return DONE;
        });
      },

      'fs/copy': (
        { sourcePath, destinationPath, recursive }: MethodParams<'fs/copy'>,
        session: Session,
      ): Promise<object> => {
        absolute(sourcePath);
        absolute(destinationPath);
        return turns.changing(session, async () => {
          await copy(access, { from: sourcePath, to: destinationPath }, { recursive: recursive ?? false }).catch(
            (error: unknown) => {
              throw copyRefusal(error);
            },
          );
          return DONE;
        });
      },

      'fs/watch': turns.quickly(async ({ watchId, path }: MethodParams<'fs/watch'>, session: Session) => {
        absolute(path);
        await watches.watch(session, watchId, { access, path });
        return { path };
      }),

      'fs/unwatch': ({ watchId }: MethodParams<'fs/unwatch'>, session: Session): object => {
        watches.unwatch(session, watchId);
        return DONE;
      },
    },
    asFileRpcError,
  );
}

/** @throws {RpcError} relativePath */
function absolute(path: string): void {
  if (!path.startsWith('/')) throw rpcError('relativePath');
}
