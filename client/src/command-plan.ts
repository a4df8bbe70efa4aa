/** What is to be started or attached to. Knows no connection. */
import type { AttachParams, DetachableParams, ExecParams, WireSize } from './wire.js';

/** How a command outlives its connections; its key is made when it is sent, unless the caller names one. */
export type DetachablePlan = Omit<DetachableParams, 'key'> & { readonly key: string | undefined };

export interface StartPlan {
  readonly params: Omit<ExecParams, 'processId' | 'detachable' | 'window'>;
  readonly detachable: DetachablePlan | undefined;
  /** Whether it may run as an ordinary command where the server has no room to keep its output. */
  readonly isDetachableOptional: boolean;
}

/** The first attachment to a command that this client did not start, as it is sent. */
export type AttachPlan = Omit<AttachParams, 'processId' | 'window'>;

/** Exactly one of `start` and `attach` is given. */
export interface CommandPlan {
  readonly start?: StartPlan;
  readonly attach?: AttachPlan;
  /** Window size of a terminal, as far as it is known. */
  readonly size: WireSize | undefined;
  /** Most bytes per stream that are unprocessed here. */
  readonly windowBytes: number;
  /** Whether it comes back with a picture of the screen in place of missed output. */
  readonly redraws?: boolean | undefined;
}
