/** What the protocol defines for one method. */
import type * as z from 'zod';

/** Longest message of a method that sets no other bound, in bytes: it can be read and checked within one turn of the event loop. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;

/** The right that a method needs. A row without one does not compile. */
export type MethodAction = 'connect' | 'exec' | 'observe' | 'files:read' | 'files:write';

/** Everything the protocol says of one method. */
export interface MethodDefinition {
  readonly action: MethodAction;
  readonly params: z.ZodType;
  readonly result: z.ZodType;
  readonly description: string;
  /** The whole method needs the experimental capability. */
  readonly experimental?: boolean;
  /** Top-level params that need the capability. */
  readonly experimentalParams?: readonly string[];
  /** Whether it is served although the connection has reached its bound of requests in flight: it frees something and is answered at once. */
  readonly servedWhenFull?: boolean;
  /** Whether a call starts work, and so is refused while the server drains. Default: it does not. */
  // biome-ignore lint/suspicious/noExplicitAny: each method has params of its own.
  readonly startsWork?: (params: any) => boolean;
  /** Whether wrong params are an invalid request (-32600), as in the reference. Default: they are invalid params (-32602). */
  readonly wrongParamsAre?: 'invalidRequest';
  /** Longest message in bytes. Default {@link MAX_MESSAGE_BYTES}. Infinity, for methods that carry bytes, leaves the bound to the transport. */
  readonly maxBytes?: number;
}
