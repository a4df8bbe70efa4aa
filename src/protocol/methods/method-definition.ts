/** What the protocol says of one method, whatever the method is. */
import type * as z from 'zod';

/** Longest message of a method that names no other bound, in bytes: what is read and checked within one turn of the event loop. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;

/** Everything the protocol says of one method. */
export interface MethodDefinition {
  readonly params: z.ZodType;
  readonly result: z.ZodType;
  readonly description: string;
  /** The whole method needs the experimental capability. */
  readonly experimental?: boolean;
  /** Top-level params that need it. */
  readonly experimentalParams?: readonly string[];
  /** Served although the connection is at its bound of requests in flight: it frees things and is answered at once. */
  readonly servedWhenFull?: boolean;
  /** Whether a call starts work, and so is refused while the server drains. Default: it does not. */
  // biome-ignore lint/suspicious/noExplicitAny: each method has params of its own.
  readonly startsWork?: (params: any) => boolean;
  /** Longest message in bytes. Default {@link MAX_MESSAGE_BYTES}; Infinity for whatever the transport lets in, for methods that carry bytes. */
  readonly maxBytes?: number;
}
