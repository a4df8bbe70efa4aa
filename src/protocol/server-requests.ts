/**
 * The server's own requests to its clients, in one table: a zod schema for the params and the answer of each. A client answers under the server's id,
 * and refuses a method that it does not know with -32601. Does not know which part of the server asks.
 */
import type * as z from 'zod';

/** Everything the protocol says of one request of the server. */
export interface ServerRequestDefinition {
  readonly params: z.ZodType;
  readonly result: z.ZodType;
  readonly description: string;
  /** Milliseconds of service within which an answer must come. */
  readonly timeoutMs: number;
}

/** A table of such requests. */
export type ServerRequestTable = Readonly<Record<string, ServerRequestDefinition>>;

/** Requests the server sends. None so far. */
export const serverRequests = {} as const satisfies ServerRequestTable;
