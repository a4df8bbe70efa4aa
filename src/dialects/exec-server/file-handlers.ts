/** Serves `fs/*` of this dialect: turns `file:` URIs into operations on files, and what they give into replies. Knows no transport. */
import { canonicalize } from '../../files/canonicalize.js';
import { copy } from '../../files/copy.js';
import { createDirectory } from '../../files/create-directory.js';
import type { FileAccess } from '../../files/file-access.js';
import { FileError } from '../../files/file-error.js';
import { readMetadata } from '../../files/metadata.js';
import { readDirectory } from '../../files/read-directory.js';
import { readFile } from '../../files/read-file.js';
import { remove } from '../../files/remove.js';
import { walk } from '../../files/walk.js';
import { writeFile } from '../../files/write-file.js';
import { rpcError } from '../../protocol/errors.js';
import type { ExecServerSandbox } from '../../protocol/methods/exec-server.js';
import type { ExecServerFileParams } from '../../protocol/methods/exec-server-files.js';
import type { Session } from '../../session/session.js';
import { contentBound, contentParts, decodeContent } from '../app-server-fs/content-parts.js';
import { entriesParts, listParts } from '../app-server-fs/entries-parts.js';
import { copyRefusal, namingFile } from '../app-server-fs/file-refusals.js';
import { type FileTurns, isThere } from '../app-server-fs/file-turns.js';
import type { HeldReplies } from '../app-server-fs/held-replies.js';
import { refusing } from '../refusing.js';
import { decodeChunk } from './chunk.js';
import type { ConnectionFiles } from './connection-files.js';
import { asExecFileError } from './file-refusals.js';
import { pathOfUri, uriOfPath } from './file-uri.js';

const DONE = {};
/** As in the reference. */
const WALK_MAXIMUMS = { depth: 64, directories: 10_000, entries: 50_000 };

/** A way to files for one request. */
export interface HeldAccess {
  readonly access: FileAccess;
  /** To be called when the request is answered. */
  close(): Promise<void>;
}

export interface ExecFileHandlersOptions {
  readonly access: FileAccess;
  /** The way to files under a sandbox. @throws {RpcError} untranslatableSandbox */
  readonly confine: (sandbox: ExecServerSandbox) => Promise<HeldAccess>;
  readonly connections: ConnectionFiles;
  readonly replies: HeldReplies;
  readonly turns: FileTurns;
  /** Bytes of the largest file that is read whole. */
  readonly maxReadBytes: number;
}

type Sandboxed = { readonly sandbox?: ExecServerSandbox | null | undefined };

/** Makes the handlers over one way to files. */
export function createExecFileHandlers({
  access: everything,
  confine,
  connections,
  replies,
  turns,
  maxReadBytes,
}: ExecFileHandlersOptions) {
  /** Runs an operation on what the request may reach. */
  const within = async <T>({ sandbox }: Sandboxed, operation: (access: FileAccess) => Promise<T>): Promise<T> => {
    if (sandbox == null) return operation(everything);
    const { access, close } = await confine(sandbox);
    try {
      return await operation(access);
    } finally {
      await close();
    }
  };

  return refusing(
    {
      'fs/getMetadata': turns.quickly((params: ExecServerFileParams<'fs/getMetadata'>) => {
        const path = pathOfUri(params.path, 'path');
        return within(params, async (access) => {
          const { isDirectory, isFile, isSymlink, size, createdAtMs, modifiedAtMs } = await readMetadata(access, path);
          return { isDirectory, isFile, isSymlink, size, createdAtMs, modifiedAtMs };
        });
      }),

      'fs/readFile': turns.quickly((params: ExecServerFileParams<'fs/readFile'>, session: Session) => {
        const path = pathOfUri(params.path, 'path');
        return within(params, (access) =>
          replies.holding(session, async (reserve) => {
            const bound = contentBound(maxReadBytes, reserve);
            return contentParts(
              await readFile(access, path, bound).catch((error: unknown) => {
                throw namingFile(error, path);
              }),
            );
          }),
        );
      }),

      'fs/writeFile': turns.quickly((params: ExecServerFileParams<'fs/writeFile'>) => {
        const path = pathOfUri(params.path, 'path');
        const bytes = decodeContent(params.dataBase64);
        return within(params, async (access) => {
          await writeFile(access, path, bytes);
          return DONE;
        });
      }),

      'fs/createDirectory': turns.quickly((params: ExecServerFileParams<'fs/createDirectory'>) => {
        const path = pathOfUri(params.path, 'path');
        return within(params, async (access) => {
          await createDirectory(access, path, { recursive: params.recursive ?? true });
          return DONE;
        });
      }),

      'fs/readDirectory': (params: ExecServerFileParams<'fs/readDirectory'>, session: Session): Promise<unknown> => {
        const path = pathOfUri(params.path, 'path');
        return turns.listing(session, isThere(session), () =>
          within(params, async (access) => entriesParts(await readDirectory(access, path))),
        );
      },

      'fs/canonicalize': turns.quickly((params: ExecServerFileParams<'fs/canonicalize'>) => {
        const path = pathOfUri(params.path, 'path');
        return within(params, async (access) => ({ path: uriOfPath(await canonicalize(access, path)) }));
      }),

      'fs/walk': (params: ExecServerFileParams<'fs/walk'>, session: Session): Promise<unknown> => {
        const path = pathOfUri(params.path, 'path');
        const { options } = params;
        const { depth, directories, entries: most } = WALK_MAXIMUMS;
        if (options.maxDepth > depth || options.maxDirectories > directories || options.maxEntries > most) {
          const detail = `filesystem walk limits exceed maximums: depth=${depth}, directories=${directories}, entries=${most}`;
          throw rpcError('fileRefused', { detail, why: 'tooLarge' });
        }
        const isWanted = isThere(session);
        return turns.listing(session, isWanted, () =>
          within(params, async (access) => {
            const { entries, errors, truncated } = await walk(access, path, { ...options, isWanted });
            const failed = errors.map(({ path: at, error }) => ({ path: uriOfPath(at), message: error.message }));
            return listParts('entries', entries, (entry) => ({ path: uriOfPath(entry.path), kind: entry.kind }), {
              errors: failed,
              truncated,
            });
          }),
        );
      },

      'fs/remove': (params: ExecServerFileParams<'fs/remove'>, session: Session): Promise<unknown> => {
        const path = pathOfUri(params.path, 'path');
        return turns.changing(session, () =>
          within(params, async (access) => {
            await remove(access, path, { recursive: params.recursive ?? true, force: params.force ?? true });
            return DONE;
          }),
        );
      },

      'fs/copy': (params: ExecServerFileParams<'fs/copy'>, session: Session): Promise<unknown> => {
        const from = pathOfUri(params.sourcePath, 'sourcePath');
        const to = pathOfUri(params.destinationPath, 'destinationPath');
        return turns.changing(session, () =>
          within(params, async (access) => {
            await copy(access, { from, to }, { recursive: params.recursive }).catch((error: unknown) => {
              throw copyRefusal(error);
            });
            return DONE;
          }),
        );
      },

      'fs/open': turns.quickly((params: ExecServerFileParams<'fs/open'>, session: Session) => {
        const path = pathOfUri(params.path, 'path');
        const mode = params.mode ?? 'read';
        // A handle lives longer than the request, and so would its confinement.
        if (params.sandbox != null && mode === 'replace') {
          throw rpcError('untranslatableSandbox', { detail: 'a file cannot be written in blocks under a sandbox' });
        }
        return within(params, async () => {
          await connections.handlesOf(session).open(params.handleId, path, mode);
          return { handleId: params.handleId };
        });
      }),

      'fs/readBlock': turns.quickly(async (params: ExecServerFileParams<'fs/readBlock'>, session: Session) => {
        const { handleId, offset, len } = params;
        const { bytes, isLast } = await connections.handlesOf(session).readBlock(handleId, offset, len);
        return { chunk: bytes.toString('base64'), eof: isLast };
      }),

      'fs/writeBlock': turns.quickly(async (params: ExecServerFileParams<'fs/writeBlock'>, session: Session) => {
        const bytes = decodeChunk(params.chunk);
        await connections.handlesOf(session).writeBlock(params.handleId, params.offset, bytes);
        return DONE;
      }),

      'fs/close': turns.quickly(async ({ handleId }: ExecServerFileParams<'fs/close'>, session: Session) => {
        await connections
          .handlesOf(session)
          .close(handleId)
          .catch((error: unknown) => {
            // As in the reference: what is not open is closed already.
            if (!(error instanceof FileError) || error.reason !== 'unknownHandle') throw error;
          });
        return DONE;
      }),

      'fs/watchMissing': turns.quickly((params: ExecServerFileParams<'fs/watchMissing'>, session: Session) => {
        const missing = params.missing.map((uri) => pathOfUri(uri, 'missing'));
        const present = params.present == null ? undefined : pathOfUri(params.present, 'present');
        return within(params, async () => ({
          watching: await connections.watch(session, params.watchId, { missing, present }),
        }));
      }),
    },
    asExecFileError,
  );
}
