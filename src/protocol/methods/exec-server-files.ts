/** Methods and notifications of the exec-server dialect about files, by `file:` URIs. */
import * as z from 'zod';
import { shortString, wholeNumber } from './bounded-values.js';
import { fileUri, sandbox } from './exec-server.js';
import { empty } from './fields.js';
import type { MethodDefinition } from './method-definition.js';

/** Longest name of a handle, in bytes of UTF-8. */
const MAX_HANDLE_ID_BYTES = 1024;
/** Most paths of one watch: each takes up to two of the kernel's watches, of which a user has few. */
const MAX_MISSING = 256;

const path = fileUri;
const bound = { sandbox: sandbox.nullish().describe('What the request is bound to. Default: nothing.') };
const isDirectory = z.boolean().describe('Whether it is a folder; links are followed.');
const isFile = z.boolean().describe('Whether it is a regular file; links are followed.');
const handleId = shortString(MAX_HANDLE_ID_BYTES).describe(
  "The client's name for an open file, unique among those of its connection.",
);
const offset = wholeNumber().min(0).describe('Position of the first byte.');
const watchId = wholeNumber().describe("The client's number of a watch, unique among those of its connection.");

const READ = { action: 'files:read' } as const;
const WRITE = { action: 'files:write' } as const;

/** Requests of this dialect about files. */
export const execServerFileMethods = {
  'fs/getMetadata': {
    ...READ,
    params: z.object({ path, ...bound }),
    result: z.object({
      isDirectory,
      isFile,
      isSymlink: z.boolean().describe('Whether the path itself is a symbolic link.'),
      size: z.number().describe('Bytes.'),
      createdAtMs: z.number().describe('Milliseconds since 1970; 0 where the file system keeps no such time.'),
      modifiedAtMs: z.number().describe('Milliseconds since 1970.'),
    }),
    description: 'Says what a path leads to.',
  },
  'fs/readFile': {
    ...READ,
    params: z.object({ path, ...bound }),
    result: z.object({ dataBase64: z.string().describe('The whole content.') }),
    description: 'Reads a file of at most `--max-file-read-bytes`.',
  },
  'fs/writeFile': {
    ...WRITE,
    params: z.object({ path, dataBase64: z.string().describe('The whole new content, in standard base64.'), ...bound }),
    result: empty,
    description: 'Creates or replaces a file, at once or not at all.',
    maxBytes: Number.POSITIVE_INFINITY,
  },
  'fs/createDirectory': {
    ...WRITE,
    params: z.object({ path, recursive: z.boolean().nullish().describe('Default true.'), ...bound }),
    result: empty,
    description: 'Makes a folder; with `recursive` its parents too, and one that is there is no fault.',
  },
  'fs/readDirectory': {
    ...READ,
    params: z.object({ path, ...bound }),
    result: z.object({
      entries: z
        .array(z.object({ fileName: z.string().describe('Name in the folder.'), isDirectory, isFile }))
        .describe('In no certain order, at most 100000.'),
    }),
    description: 'Lists a folder. Links that lead to nothing are left out.',
  },
  'fs/canonicalize': {
    ...READ,
    params: z.object({ path, ...bound }),
    result: z.object({ path }),
    description: 'The path without symbolic links.',
  },
  'fs/walk': {
    ...READ,
    params: z.object({
      path,
      options: z.object({
        maxDepth: wholeNumber().min(0).describe('Levels below the folder, at most 64.'),
        maxDirectories: wholeNumber().min(0).describe('Folders that are listed, at most 10000.'),
        maxEntries: wholeNumber().min(0).describe('At most 50000.'),
        followDirectorySymlinks: z.boolean(),
        pruneHiddenDirectories: z.boolean().describe('Whether hidden folders are named but not entered.'),
      }),
      ...bound,
    }),
    result: z.object({
      entries: z.array(z.object({ path, kind: z.enum(['file', 'directory']) })),
      errors: z.array(z.object({ path, message: z.string() })).describe('Folders that could not be listed.'),
      truncated: z.boolean().describe('Whether a bound cut the walk off.'),
    }),
    description: 'Walks a tree, breadth first, each folder by name.',
  },
  'fs/remove': {
    ...WRITE,
    params: z.object({
      path,
      recursive: z.boolean().nullish().describe('Default true.'),
      force: z.boolean().nullish().describe('Whether a path where nothing is is no fault. Default true.'),
      ...bound,
    }),
    result: empty,
    description: 'Removes a file, a folder, or a link (not what it leads to).',
  },
  'fs/copy': {
    ...WRITE,
    params: z.object({ sourcePath: path, destinationPath: path, recursive: z.boolean(), ...bound }),
    result: empty,
    description: 'Copies a file with its mode, a link as a link, or a folder.',
  },
  'fs/open': {
    // A handle for writing is refused by its own check of the right.
    ...WRITE,
    params: z.object({
      handleId,
      path,
      mode: z.enum(['read', 'replace']).nullish().describe('Default `read`.'),
      ...bound,
    }),
    result: z.object({ handleId }),
    description: 'Opens a file; one that is replaced takes its name at `fs/close`.',
  },
  'fs/readBlock': {
    ...READ,
    params: z.object({ handleId, offset, len: wholeNumber().describe('Bytes, 1 to 1048576.') }),
    result: z.object({ chunk: z.string().describe('Bytes in base64.'), eof: z.boolean() }),
    description: 'Reads a part of an open file.',
  },
  'fs/writeBlock': {
    ...WRITE,
    params: z.object({ handleId, offset, chunk: z.string().describe('1 to 1048576 bytes in base64.') }),
    result: empty,
    description: 'Writes a part of an open file.',
    maxBytes: Number.POSITIVE_INFINITY,
  },
  'fs/close': {
    ...READ,
    params: z.object({ handleId }),
    result: empty,
    description: 'Closes an open file.',
    servedWhenFull: true,
  },
  'fs/watchMissing': {
    ...READ,
    params: z.object({
      watchId,
      missing: z.array(fileUri).max(MAX_MISSING).describe('Paths where nothing is.'),
      present: fileUri.nullish().describe('A path where something is.'),
      ...bound,
    }),
    result: z.object({
      watching: z.boolean().describe('False if one is there already, `present` is not, or the number is in use.'),
    }),
    description: 'Tells once when something appears at one of the paths, or `present` goes.',
  },
} as const satisfies Record<string, MethodDefinition>;

/** Notifications of this dialect about files. */
export const execServerFileNotifications = {
  'fs/missingChanged': {
    params: z.object({ watchId }),
    description: 'A watch of missing files has seen its change, and is over.',
  },
} as const;

/** Name of a request of this dialect about files. */
export type ExecServerFileMethod = keyof typeof execServerFileMethods;
/** Params of such a request. */
export type ExecServerFileParams<M extends ExecServerFileMethod> = z.input<(typeof execServerFileMethods)[M]['params']>;
