/** Fields that several methods share. Knows no method. */
import * as z from 'zod';
import { shortString } from './bounded-values.js';

/** Longest `processId`, in bytes of UTF-8. It is bounded because replies repeat it, and a list of commands holds all of them. */
const MAX_PROCESS_ID_BYTES = 1024;

/** Most rows or columns of a terminal: the kernel keeps them in 16 bits. */
const MAX_CELLS = 65_535;

/** Name of a running command on one connection. */
export const processId = shortString(MAX_PROCESS_ID_BYTES).describe(
  "The client's name for a running command, unique among this connection's running commands; at most 1024 bytes.",
);

/** Name of a spawned process on one connection; an empty one is refused later, with its own text. */
export const processHandle = shortString(MAX_PROCESS_ID_BYTES).describe(
  "The client's name for a spawned process, unique among this connection's running ones; 1 to 1024 bytes.",
);

/** Window size on the wire; 0 is refused later, with its own text. */
export const terminalSize = z
  .object({
    rows: z.number().int().min(0).max(MAX_CELLS).describe('Rows, 1 to 65535.'),
    cols: z.number().int().min(0).max(MAX_CELLS).describe('Columns, 1 to 65535.'),
  })
  .describe('Window size of a terminal in character cells.');

/** Name of a signal. */
export const signalName = z.string().describe('Name of a signal, such as `SIGTERM`.');
/** The result of a request that answers nothing but that it was done. */
export const empty = z.object({}).describe('Nothing.');
