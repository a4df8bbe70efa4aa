/** Methods and notifications of `fs/*`: files of the server's machine, by plain absolute paths. */
import * as z from 'zod';
import { shortString } from './bounded-values.js';
import { empty } from './fields.js';
import type { MethodDefinition } from './method-definition.js';

/** Longest `watchId`, in bytes of UTF-8: notifications repeat it. */
const MAX_WATCH_ID_BYTES = 1024;

const path = z.string().describe('Absolute path. `..` in it is taken as text, before links are followed.');
const watchId = shortString(MAX_WATCH_ID_BYTES).describe(
  "The client's name for a watch, unique among this connection's watches; at most 1024 bytes.",
);
const isDirectory = z.boolean().describe('Whether it is a folder; links are followed.');
const isFile = z.boolean().describe('Whether it is a regular file; links are followed.');

/** Wrong params are answered as by the reference. */
const READ = { action: 'files:read', wrongParamsAre: 'invalidRequest' } as const;
const WRITE = { action: 'files:write', wrongParamsAre: 'invalidRequest' } as const;

/** Requests about files. */
export const fileMethods = {
  'fs/readFile': {
    ...READ,
    params: z.object({
      path,
      offset: z.int().nonnegative().optional().describe('First byte of a piece. Default 0.'),
      limit: z.int().nonnegative().optional().describe('Most bytes of a piece. Default: all.'),
    }),
    result: z.object({
      dataBase64: z.string().describe('The whole content, or the piece.'),
      size: z.number().optional().describe('Bytes of the whole file; only with `offset` or `limit`.'),
    }),
    description:
      'Reads a file, or with `offset` and `limit` a piece of it, of at most `--max-file-read-bytes`; behind the end of the file a piece is empty.',
    experimentalParams: ['offset', 'limit'],
  },
  'fs/writeFile': {
    ...WRITE,
    params: z.object({ path, dataBase64: z.string().describe('The whole new content, in standard base64.') }),
    result: empty,
    description:
      'Creates or replaces a file, at once or not at all. A link is followed; the mode of an old file stays.',
    // As much as the frame holds; the bytes are decoded once.
    maxBytes: Number.POSITIVE_INFINITY,
  },
  'fs/createDirectory': {
    ...WRITE,
    params: z.object({
      path,
      recursive: z
        .boolean()
        .nullish()
        .describe('Also makes missing parents, and takes a folder that is there. Default true.'),
    }),
    result: empty,
    description: 'Makes a folder.',
  },
  'fs/getMetadata': {
    ...READ,
    params: z.object({ path }),
    result: z.object({
      isDirectory,
      isFile,
      isSymlink: z.boolean().describe('Whether the path itself is a symbolic link.'),
      createdAtMs: z.number().describe('Milliseconds since 1970; 0 where the file system keeps no such time.'),
      modifiedAtMs: z.number().describe('Milliseconds since 1970.'),
    }),
    description: 'Says what a path leads to.',
  },
  'fs/readDirectory': {
    ...READ,
    params: z.object({ path }),
    result: z.object({
      entries: z
        .array(
          z.object({ fileName: z.string().describe('Name in the folder.'), isDirectory, isFile }).describe('An entry.'),
        )
        .describe('In no certain order, at most 100000.'),
    }),
    description: 'Lists a folder. Links that lead to nothing are left out.',
  },
  'fs/remove': {
    ...WRITE,
    params: z.object({
      path,
      recursive: z.boolean().nullish().describe('Removes a folder with everything in it. Default true.'),
      force: z.boolean().nullish().describe('Takes a path where nothing is. Default true.'),
    }),
    result: empty,
    description: 'Removes a file, a folder, or a link (not what it leads to).',
  },
  'fs/copy': {
    ...WRITE,
    params: z.object({
      sourcePath: path,
      destinationPath: path,
      recursive: z
        .boolean()
        .nullish()
        .describe('Required for a folder, whose entries are put into the destination. Default false.'),
    }),
    result: empty,
    description: 'Copies a file with its mode, a link as a link, or a folder.',
  },
  'fs/watch': {
    ...READ,
    params: z.object({ watchId, path }),
    result: z.object({ path: z.string().describe('The path that is watched.') }),
    description:
      'Watches a path, also one where nothing is yet, until `fs/unwatch` or the end of the connection. Of a folder it tells of the entries, and of nothing deeper.',
  },
  'fs/unwatch': {
    ...READ,
    params: z.object({ watchId }),
    result: empty,
    description: 'Ends a watch. Nothing is told after the reply; an unknown `watchId` is no fault.',
    servedWhenFull: true,
  },
} as const satisfies Record<string, MethodDefinition>;

/** Notifications of the server about watches. */
export const fileServerNotifications = {
  'fs/changed': {
    params: z.object({
      watchId,
      changedPaths: z
        .array(z.string())
        .describe('Absolute paths, sorted, each once. Changes within 200 ms come together.'),
    }),
    description: 'Something that is watched has changed.',
  },
} as const;
