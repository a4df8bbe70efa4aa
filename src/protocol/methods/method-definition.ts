/** What the protocol says of one method, whatever the method is. */
import type * as z from 'zod';

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
  /** Starts work, and so is refused while the server drains. */
  readonly startsWork?: boolean;
}
