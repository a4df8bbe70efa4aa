/**
 * What the server asks of its clients: a zod schema for the params and the answer of every request, in one table. A client answers under
 * the server's id, and a method that it does not know with -32601. Knows nothing of who asks.
 */
import type * as z from 'zod';

/** Everything the protocol says of one request of the server. */
export interface ServerRequestDefinition {
  readonly params: z.ZodType;
  readonly result: z.ZodType;
  readonly description: string;
  /** Milliseconds of service after which no answer counts as none. */
  readonly timeoutMs: number;
}

/** A table of such requests. */
export type ServerRequestTable = Readonly<Record<string, ServerRequestDefinition>>;

/** Requests the server sends. None so far. */
export const serverRequests = {} as const satisfies ServerRequestTable;
